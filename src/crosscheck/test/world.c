/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "crosscheck/test/world.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define STEP_NS (250 * NS_PER_MS)

static void take(void *ctx, const struct event *e)
{
	struct world *w = ctx;

	assert_true(event_valid(e));
	assert_true(e->text[0] && e->u.silence.layer[0] && e->u.silence.what[0]);
	assert_string_equal(event_guest_of(e), "web");
	assert_true(w->n < FOUND);
	w->found[w->n++] = *e;
}

int world_setup(void **state)
{
	struct crosscheck_conf conf = {
		.n_guests = 2,
		.guests = {{"web", true, true, true}, {"other", true, true, true}},
		.emit = take,
	};
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->stream = calloc(1, sizeof(*w->stream));
	conf.ctx = w;
	w->now_ns = START_NS;
	w->hooks = (1u << HOOKS) - 1;
	if (!w->stream || crosscheck_create(&conf, &w->c))
		return -1;
	w->booted_ns = w->now_ns;
	crosscheck_guest(w->c, 0, true, w->now_ns);
	world_run(w, 10);
	world_hello(w, true, 1);
	w->beats = true;
	world_run(w, 10);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	crosscheck_free(&w->c);
	free(w->stream);
	free(w);
	return 0;
}

void world_say(struct world *w, struct sensor_record *r)
{
	if (!r->boot_ns)
		r->boot_ns = (uint64_t)(w->now_ns - w->booted_ns);
	crosscheck_record(w->c, 0, r, r->type == SENSOR_HELLO || r->type == SENSOR_BEAT ? 0 : 7,
			  w->now_ns);
}

static void beat(struct world *w)
{
	struct sensor_record r = {.type = SENSOR_BEAT};

	r.u.beat.hooks = w->hooks;
	r.u.beat.wall_ns = w->now_ns + w->set_ns;
	world_say(w, &r);
}

void world_run(struct world *w, double seconds)
{
	int64_t end = w->now_ns + (int64_t)(seconds * 1e9);

	while (w->now_ns < end) {
		w->now_ns += STEP_NS;
		if (w->beats && w->now_ns - w->beat_ns >= SENSOR_BEAT_MS * NS_PER_MS) {
			w->beat_ns = w->now_ns;
			beat(w);
		}
		crosscheck_tick(w->c, w->now_ns);
	}
}

void world_hello(struct world *w, bool first, uint8_t boot)
{
	struct sensor_record r = {.type = SENSOR_HELLO};

	r.u.hello.version = SENSOR_VERSION;
	r.u.hello.mode = SENSOR_BPF;
	r.u.hello.first = first;
	r.u.hello.hooks = w->hooks;
	r.u.hello.wall_ns = w->now_ns + w->set_ns;
	r.u.hello.boot_id[0] = boot;
	world_say(w, &r);
}

void world_visit(struct world *w, uint64_t visit)
{
	struct sensor_record r = {.type = SENSOR_VISIT};

	r.u.visit.visit = visit;
	r.u.visit.ver = visit % 2 ? 4 : 6;
	memcpy(r.u.visit.peer, (uint8_t[]){198, 51, 100, (uint8_t)visit}, 4);
	r.u.visit.peer_port = (uint16_t)(VISITOR_PORT + visit);
	r.u.visit.local_port = 22;
	world_say(w, &r);
}

static struct sensor_text text_of(const char *s)
{
	return (struct sensor_text){(const uint8_t *)s, s ? (uint32_t)strlen(s) : 0};
}

void world_exec(struct world *w, uint64_t visit, uint32_t pid, uint32_t ppid, const char *path,
		const char *argv)
{
	struct sensor_record r = {.type = SENSOR_EXEC, .n_texts = 3};
	char args[512];

	r.u.exec.p.visit = visit;
	r.u.exec.p.pid = pid;
	r.u.exec.p.ppid = ppid;
	r.texts[0] = text_of(path);
	r.texts[1] = text_of("/root");
	text_copy(args, sizeof(args), argv);
	r.texts[2] = text_of(args);
	for (char *at = args; *at; at++) {
		if (*at == ' ')
			*at = '\0';
		else if (*at == '^') /* a blank within an argument */
			*at = ' ';
	}
	r.texts[2].len++;
	world_say(w, &r);
}

void world_data(struct world *w, uint64_t visit, uint32_t pid, enum sensor_stream stream,
		const char *text)
{
	struct sensor_record r = {.type = SENSOR_DATA, .n_texts = 1};

	r.u.data.p.visit = visit;
	r.u.data.p.pid = pid;
	r.u.data.stream = (uint8_t)stream;
	r.texts[0] = text_of(text);
	world_say(w, &r);
}

void world_state(struct world *w, enum sensor_state_what what, int64_t value, const char *text)
{
	struct sensor_record r = {.type = SENSOR_STATE, .n_texts = 1};

	r.u.state.what = what;
	r.u.state.value = value;
	r.texts[0] = text_of(text);
	world_say(w, &r);
}

void world_signal(struct world *w, uint32_t from, const char *to, uint32_t sig)
{
	struct sensor_record r = {.type = SENSOR_SIGNAL};

	r.u.signal.p.pid = from;
	r.u.signal.p.visit = from == 1 ? 0 : 1;
	text_copy(r.u.signal.p.comm, SENSOR_COMM, from == 1 ? "systemd" : "bash");
	r.u.signal.to = 300;
	r.u.signal.sig = sig;
	text_copy(r.u.signal.to_comm, SENSOR_COMM, to);
	world_say(w, &r);
}

void world_exit(struct world *w, uint32_t pid, const char *comm, int32_t status)
{
	struct sensor_record r = {.type = SENSOR_EXIT};

	r.u.exit.p.pid = pid;
	text_copy(r.u.exit.p.comm, SENSOR_COMM, comm);
	r.u.exit.status = status;
	world_say(w, &r);
}

void world_line(struct world *w, uint32_t pid, uint32_t ppid, const char *line)
{
	crosscheck_shell(w->c, 0, pid, ppid, line, strlen(line), w->now_ns);
}

void world_wire(struct world *w, uint64_t flow, uint64_t bytes_in)
{
	struct crosscheck_wire t = {.flow_id = flow, .port = 22, .bytes_in = bytes_in};

	t.peer.ver = flow % 2 ? 4 : 6;
	memcpy(t.peer.b, (uint8_t[]){198, 51, 100, (uint8_t)flow}, 4);
	t.peer_port = (uint16_t)(VISITOR_PORT + flow);
	crosscheck_wire(w->c, 0, &t, w->now_ns);
}

uint32_t world_found(const struct world *w, const char *layer, const char *what)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct event_silence *s = &w->found[i].u.silence;

		n += (!layer || !strcmp(s->layer, layer)) && (!what || !strcmp(s->what, what));
	}
	return n;
}

struct event world_one(struct world *w, enum event_kind kind, const char *layer, const char *what)
{
	struct event e;

	if (w->n != 1)
		fail_msg("%u findings, not one %s/%s: %s", w->n, layer, what,
			 w->n ? w->found[w->n - 1].text : "");
	e = w->found[0];
	assert_int_equal(e.kind, kind);
	assert_string_equal(e.u.silence.layer, layer);
	assert_string_equal(e.u.silence.what, what);
	w->n = 0;
	return e;
}

void world_quiet(const struct world *w)
{
	if (w->n)
		fail_msg("%u findings, the first: %s", w->n, w->found[0].text);
}
