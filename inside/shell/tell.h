/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tell.h -- each command line goes to the log host. */

#if !defined(_TELL_H_)
#define _TELL_H_

/* What is done with the lines of the input that is being read. */
enum {
	TELL_OFF,    /* a script of the system's own: neither its lines nor what they evaluate */
	TELL_ON,     /* each command line, before it runs and when it is over */
	TELL_INSIDE, /* part of a line that was told; what it evaluates may be told again */
};
extern int tell_mode;

/* A line of input, after history expansion, on its way to the parser. */
extern void tell_line(const char *line);
/* The next command is about to be read. */
extern void tell_reading(void);
/* It is complete: tell it. If it was not a command (blank, a remark) only a person's is told. */
extern void tell_command(int is_command);
/* How many commands have begun and are not over; tell of the end of all beyond `depth`. */
extern int tell_depth(void);
extern void tell_done(int depth);
/* The shell ends. */
extern void tell_exit(int status);

/* For unwind frames: tell_done, and what was being read when something else was evaluated. */
extern void tell_leave(char *depth);
extern char *tell_save(void);
extern void tell_restore(char *saved);

/* The mode for a string that is about to be evaluated. */
extern int tell_mode_of(const char *string, const char *from, int is_plain);
/* The mode for a file that is read by `.` or at start; where it is evaluated, tell_next_file is set to it. */
extern int tell_next_file;
extern int tell_file(int fd, const char *name, const char *text, long len);
/* The script this shell was started for. */
extern void tell_script(int fd, const char *name);
/* The shell begins anew, for a script without `#!`. */
extern void tell_anew(void);
/* Should a session's only command run beside the shell, so that its status can be told? */
extern int tell_stays(void);

#endif /* _TELL_H_ */
