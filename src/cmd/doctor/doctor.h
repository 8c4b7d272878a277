/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep doctor, its parts: doctor.c asks them all and mends with consent, host.c looks at the machine, install.c at
 * this installation, wire.c at the real wire, alerts.c at the servers that alerts go to.
 */
#ifndef SKEP_DOCTOR_H
#define SKEP_DOCTOR_H

#include "cmd/cmd.h"

#include <jansson.h>

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

#define FIXES 32
#define FIX_TEXT 192

struct report {
	json_t *checks;
	bool print, colour;
	unsigned n[3];
	const struct conf *c;
	bool conf_ok, root;
	unsigned n_fixes; /* cures that are one command, to be run with consent */
	char fixes[FIXES][FIX_TEXT];
};

/* One line of the report. cure: what a person does about it; not shown if all is well. */
void say(struct report *r, enum level level, const char *name, const char *cure, const char *fmt,
	 ...) PRINTF_LIKE(5, 6);
/* The same; the cure is a command that --fix may run (words, without quotes). */
void say_fix(struct report *r, enum level level, const char *name, const char *command,
	     const char *fmt, ...) PRINTF_LIKE(5, 6);

void check_host(struct report *r);
void check_conf(struct report *r, int code);
void check_resources(struct report *r);
void check_installation(struct report *r);
void check_wire(struct report *r);
/* Secrets, programs and servers of all destinations; asks the servers, and sends nothing. */
void check_alerts_out(struct report *r);

#endif
