/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The book of open sessions: slots of a fixed number, found by id, by the guest's number of a visit, and by the two
 * ends of a conversation. A guest has its share of the slots and loses its own oldest session when it wants
 * more, so nobody's flood ends another's. All memory is taken at the start.
 */
#include "session/session_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UPDATE_NS (60 * NS_PER_SEC)
#define RECORD_NS \
	(500 * NS_PER_MS) /* a small record is written this often at most, a long one more rarely */
#define LINGER_NS \
	(3 * NS_PER_SEC) /* one layer says it is over: the other's last words are waited for */
#define IDLE_NS (3600 * NS_PER_SEC) /* only a shell tells of it, and that says nothing any more */
#define RECORDS_A_TICK 64u
#define VICTIMS 64u
#define REFUSED_NS NS_PER_SEC

/* ---- indexes --------------------------------------------------------------------------------------- */

uint32_t book_slot(const struct session_book *b, const struct session *s)
{
	return (uint32_t)(s - b->slots);
}

static uint32_t hash_of(const struct session_book *b, const void *key, size_t len)
{
	uint32_t h = (uint32_t)hash_keyed(b->key, key, len);
	return h != 0 ? h : 1; /* 0: not in the index */
}

static uint32_t visit_hash(const struct session_book *b, uint32_t guest, uint64_t visit)
{
	uint64_t key[2] = {guest, visit};
	return hash_of(b, key, sizeof(key));
}

static uint32_t tuple_hash(const struct session_book *b, uint32_t guest, const struct addr *peer,
			   uint16_t peer_port, uint16_t server_port)
{
	struct {
		struct addr peer;
		uint32_t guest;
		uint16_t a, b;
	} key = {.peer = *peer, .guest = guest, .a = peer_port, .b = server_port};
	return hash_of(b, &key, sizeof(key));
}

static void index_add(struct session_book *b, struct session *s, enum index_kind k, uint32_t hash)
{
	uint32_t *head = &b->heads[k][hash % SLOTS];
	s->hash[k] = hash;
	s->next[k] = *head;
	*head = book_slot(b, s) + 1;
}

static void index_remove(struct session_book *b, struct session *s, enum index_kind k)
{
	if (s->hash[k] == 0)
		return;
	uint32_t self = book_slot(b, s) + 1;
	for (uint32_t *at = &b->heads[k][s->hash[k] % SLOTS]; *at != 0;
	     at = &b->slots[*at - 1].next[k])
		if (*at == self) {
			*at = s->next[k];
			break;
		}
	s->hash[k] = s->next[k] = 0;
}

struct session *book_find(struct session_book *b, uint64_t id)
{
	uint32_t h = hash_of(b, &id, sizeof(id));
	if (id == 0)
		return NULL;
	for (uint32_t n = b->heads[BY_ID][h % SLOTS]; n != 0; n = b->slots[n - 1].next[BY_ID])
		if (b->slots[n - 1].id == id)
			return &b->slots[n - 1];
	return NULL;
}

struct session *book_visit(struct session_book *b, uint32_t guest, uint64_t visit)
{
	uint32_t h = visit_hash(b, guest, visit);
	for (uint32_t n = b->heads[BY_VISIT][h % SLOTS]; n != 0;
	     n = b->slots[n - 1].next[BY_VISIT]) {
		struct session *s = &b->slots[n - 1];
		if (s->guest == guest && s->visit == visit)
			return s;
	}
	return NULL;
}

struct session *book_tuple(struct session_book *b, uint32_t guest, const struct addr *peer,
			   uint16_t peer_port, uint16_t server_port)
{
	uint32_t h = tuple_hash(b, guest, peer, peer_port, server_port);
	for (uint32_t n = b->heads[BY_TUPLE][h % SLOTS]; n != 0;
	     n = b->slots[n - 1].next[BY_TUPLE]) {
		struct session *s = &b->slots[n - 1];
		if (s->guest == guest && s->peer_port == peer_port &&
		    s->server_port == server_port && addr_eq(&s->peer, peer))
			return s;
	}
	return NULL;
}

void book_set_visit(struct session_book *b, struct session *s, uint64_t visit)
{
	index_remove(b, s, BY_VISIT);
	s->visit = visit;
	index_add(b, s, BY_VISIT, visit_hash(b, s->guest, visit));
}

void book_set_tuple(struct session_book *b, struct session *s)
{
	index_remove(b, s, BY_TUPLE);
	index_add(b, s, BY_TUPLE, tuple_hash(b, s->guest, &s->peer, s->peer_port, s->server_port));
}

/* ---- of one guest, by the time they were heard last --------------------------------------------------- */

static void order_remove(struct session_book *b, struct session *s)
{
	struct guest_book *g = &b->guests[s->guest];
	*(s->newer != 0 ? &b->slots[s->newer - 1].older : &g->newest) = s->older;
	*(s->older != 0 ? &b->slots[s->older - 1].newer : &g->oldest) = s->newer;
	s->newer = s->older = 0;
}

static void order_add(struct session_book *b, struct session *s)
{
	struct guest_book *g = &b->guests[s->guest];
	uint32_t self = book_slot(b, s) + 1;
	s->older = g->newest;
	s->newer = 0;
	if (g->newest != 0)
		b->slots[g->newest - 1].newer = self;
	else
		g->oldest = self;
	g->newest = self;
}

void book_touch(struct session_book *b, struct session *s, enum layer layer, int64_t ns)
{
	if (ns > s->last_ns)
		s->last_ns = ns;
	if ((s->heard >> layer & 1) == 0) {
		s->heard |= (uint8_t)(1u << layer);
		s->dirty = true;
	}
	order_remove(b, s);
	order_add(b, s);
}

static int64_t day_number(const struct session_book *b)
{
	return b->now_ns / (86400 * NS_PER_SEC);
}

void book_wrote(struct session_book *b, uint32_t guest, uint64_t bytes)
{
	struct guest_book *g = &b->guests[guest];
	if (g->day != day_number(b))
		g->day_bytes = 0;
	g->day = day_number(b);
	g->day_bytes += bytes;
}

bool book_is_over(const struct session_book *b, uint32_t guest)
{
	const struct guest_book *g = &b->guests[guest];
	return g->day == day_number(b) && g->day_bytes > b->folder.budget_bytes / DAY_SHARE;
}

static bool may_keep(struct session_book *b, uint32_t guest)
{
	if (!book_is_over(b, guest))
		return book_may(b, guest, BUDGET_KEEP, b->now_ns);
	b->guests[guest].suppressed[BUDGET_KEEP]++;
	return false;
}

void book_keep(struct session_book *b, struct session *s, int64_t ns)
{
	if (s->kept || (s->refused_ns != 0 && b->now_ns - s->refused_ns < REFUSED_NS))
		return;
	if (!may_keep(b, s->guest)) {
		s->refused_ns =
			b->now_ns; /* a long visit that began in a flood gets its record yet */
		return;
	}
	s->kept = s->dirty = true;
	if (!s->told)
		tell_session(b, s, "begin", "", ns);
	s->told = true;
}

/* ---- begin and end --------------------------------------------------------------------------------------- */

/* The oldest that nobody hears on the wire any more, if there is one among the oldest: visits that a guest makes up
 * must not end the recording of a conversation that goes on. */
static struct session *victim(struct session_book *b, const struct guest_book *g)
{
	uint32_t n = g->oldest;
	for (uint32_t i = 0; i < VICTIMS && n != 0; i++, n = b->slots[n - 1].newer)
		if (!b->slots[n - 1].wire_open)
			return &b->slots[n - 1];
	return &b->slots[g->oldest - 1];
}

struct session *book_new(struct session_book *b, uint32_t guest, int64_t ns)
{
	struct guest_book *g = &b->guests[guest];
	if (g->open >= b->share)
		book_end(b, victim(b, g), "limit", ns);
	/* Shares add up to no more than there are: one is free. */
	uint32_t n = b->free_slots != 0 ? b->free_slots : ++b->fresh_slots;
	struct session *s = &b->slots[n - 1];
	if (n == b->free_slots)
		b->free_slots = s->next[BY_ID];
	memset(s, 0, sizeof(*s));
	s->id = b->last_id = id_next(b->last_id, ns);
	s->guest = guest;
	s->start_ns = s->last_ns = ns;
	s->day = day_of(ns);
	s->proto = 6;
	index_add(b, s, BY_ID, hash_of(b, &s->id, sizeof(s->id)));
	order_add(b, s);
	g->open++;
	return s;
}

static void write_end(struct session_book *b, struct session *s, const char *why, int64_t ns)
{
	/* Both sides said something, and no guess was refused: a talk, if a short one. */
	if (s->input > 0 && s->output > 0 && s->logins_failed == 0)
		book_keep(b, s, ns);
	for (uint32_t i = 0; i < s->n_casts; i++)
		cast_end(b, s, &s->casts[i]);
	cowrie_closed(b, s, ns);
	if (s->kept) {
		int err = record_write(b, s, ns, why);
		if (err != 0 && b->folder.err == 0)
			b->folder.err = err;
	} else if (book_is_over(b, s->guest) &&
		   b->guests[s->guest].day_bytes > b->folder.budget_bytes / 2) {
		b->guests[s->guest].suppressed[BUDGET_LIST]++; /* not even lines any more */
	} else if (book_may(b, s->guest, BUDGET_LIST, b->now_ns)) {
		record_list(b, s, ns, why);
	}
	tell_session(b, s, "end", why, ns);
}

void book_end(struct session_book *b, struct session *s, const char *why, int64_t ns)
{
	if (ns < s->last_ns)
		ns = s->last_ns;
	write_end(b, s, why, ns);
	entry_free_all(b, s);
	for (unsigned k = 0; k < INDEXES; k++)
		index_remove(b, s, (enum index_kind)k);
	order_remove(b, s);
	b->guests[s->guest].open--;
	s->id = 0;
	s->next[BY_ID] = b->free_slots;
	b->free_slots = book_slot(b, s) + 1;
}

/* ---- processes: the newest of each guest ------------------------------------------------------------------- */

static struct pid_row *pid_set(struct session_book *b, uint32_t guest, uint32_t pid)
{
	uint32_t h = (uint32_t)hash_keyed(b->key, &pid, sizeof(pid));
	return &b->guests[guest].pids[h % (PIDS / PID_WAYS) * PID_WAYS];
}

struct pid_row *book_pid(struct session_book *b, uint32_t guest, uint32_t pid)
{
	struct pid_row *set = pid_set(b, guest, pid);
	for (uint32_t i = 0; i < PID_WAYS; i++)
		if (set[i].used != 0 && set[i].pid == pid) {
			set[i].used = ++b->clock;
			return &set[i];
		}
	return NULL;
}

struct pid_row *book_pid_add(struct session_book *b, uint32_t guest, uint32_t pid)
{
	struct pid_row *row = book_pid(b, guest, pid), *set = pid_set(b, guest, pid);
	if (row != NULL)
		return row;
	row = &set[0];
	for (uint32_t i = 1; i < PID_WAYS; i++)
		if (set[i].used < row->used)
			row = &set[i];
	*row = (struct pid_row){.pid = pid, .used = ++b->clock};
	b->guests[guest].has_pids = true;
	return row;
}

void book_pid_of(struct pid_row *row, const struct session *s)
{
	uint64_t id = s != NULL ? s->id : 0;
	if (row->session != id) {
		row->run = row->line = row->line_seq = 0;
		row->service = false;
	}
	row->session = id;
}

/* Processes, clock and files that the guest told of; all: files that the wire told of, too. */
static void forget_inside(struct session_book *b, uint32_t guest, bool all, int64_t ns)
{
	struct guest_book *g = &b->guests[guest];
	if (g->has_pids) /* a guest may say a hundred thousand times a second that it begins */
		memset(g->pids, 0, sizeof(g->pids));
	g->has_pids = g->has_offset = g->has_shell = false;
	for (uint32_t i = 0; i < FILES_OPEN; i++) {
		const struct open_file *f = &b->files->open[i];
		if (f->id != 0 && f->guest == guest && (all || f->pid != 0))
			session_file_end(b, f->id, false, ns);
	}
}

void session_guest_gone(struct session_book *b, uint32_t guest, int64_t now_wall_ns)
{
	if (guest >= b->conf.n_guests)
		return;
	b->now_ns = now_wall_ns;
	while (b->guests[guest].oldest != 0)
		book_end(b, &b->slots[b->guests[guest].oldest - 1], "guest", now_wall_ns);
	forget_inside(b, guest, true, now_wall_ns);
}

void session_monitor_anew(struct session_book *b, uint32_t guest, int64_t now_wall_ns)
{
	if (guest >= b->conf.n_guests)
		return;
	struct guest_book *g = &b->guests[guest];
	b->now_ns = now_wall_ns;
	for (uint32_t n = g->newest, older; n != 0; n = older) {
		struct session *s = &b->slots[n - 1];
		older = s->older;
		if (!s->wire_open) {
			book_end(b, s, "guest", now_wall_ns);
			continue;
		}
		index_remove(b, s, BY_VISIT);
		s->visit = 0;
		s->monitor_open = false;
		s->shut_ns = 0;
	}
	forget_inside(b, guest, false, now_wall_ns);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int take_memory(struct session_book *b)
{
	uint32_t n = b->conf.n_guests;
	b->slots = arena_alloc(&b->arena, SLOTS, sizeof(*b->slots));
	b->blocks = arena_alloc(&b->arena, BLOCKS, sizeof(*b->blocks));
	b->bufs = arena_alloc(&b->arena, CAST_BUFS, sizeof(*b->bufs));
	b->guests = arena_alloc(&b->arena, n, sizeof(*b->guests));
	b->parked = arena_alloc(&b->arena, PARKED, sizeof(*b->parked));
	b->files = arena_alloc(&b->arena, 1, sizeof(*b->files));
	b->scratch = arena_alloc(&b->arena, 1, SCRATCH);
	if (b->scratch == NULL || b->files == NULL)
		return -ENOMEM;
	b->share = SLOTS / n;
	b->blocks_share = BLOCKS / n;
	return 0;
}

static size_t memory_needed(uint32_t guests)
{
	return SLOTS * sizeof(struct session) + BLOCKS * sizeof(struct block) +
	       CAST_BUFS * sizeof(struct cast_buf) + guests * sizeof(struct guest_book) +
	       PARKED * sizeof(struct parked) + sizeof(struct file_store) + SCRATCH +
	       FILES_OPEN * (size_t)FILE_MEMORY + 4096;
}

int session_book_open(const struct session_book_conf *conf, struct session_book **ret)
{
	if (conf->n_guests == 0 || conf->n_guests > CONF_GUESTS)
		return SKEP_ERANGE;
	struct session_book *b = calloc(1, sizeof(*b));
	if (b == NULL)
		return -ENOMEM;
	b->conf = *conf;
	b->folder.sessions = -1;
	b->folder.budget_bytes = conf->conf.disk_bytes;
	b->folder.keep_days = conf->conf.keep_days;
	b->now_ns = clock_wall_ns();
	random_fill(b->key, sizeof(b->key));
	int err = arena_create(memory_needed(conf->n_guests), &b->arena);
	if (err == 0)
		err = take_memory(b);
	if (err == 0)
		err = folder_open(&b->folder, conf->dir);
	if (err == 0)
		err = files_open(b->files, conf->dir, conf->conf.files_bytes, conf->conf.file_bytes,
				 &b->arena);
	if (err != 0) {
		folder_close(&b->folder);
		arena_destroy(&b->arena);
		free(b);
		return err;
	}
	record_mend(b, b->now_ns);
	*ret = b;
	return 0;
}

void session_book_close(struct session_book **book)
{
	struct session_book *b = *book;
	if (b == NULL)
		return;
	b->now_ns = clock_wall_ns();
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		if (b->files->open[i].id != 0)
			session_file_end(b, b->files->open[i].id, false, b->now_ns);
	for (uint32_t i = 0; i < b->fresh_slots; i++)
		if (b->slots[i].id != 0)
			book_end(b, &b->slots[i], "stopped", b->now_ns);
	lines_flush(&b->folder, &b->folder.list);
	lines_flush(&b->folder, &b->folder.cowrie);
	files_close(b->files);
	folder_close(&b->folder);
	arena_destroy(&b->arena);
	free(b);
	*book = NULL;
}

/* ---- four times a second -------------------------------------------------------------------------------------- */

static void day_gone(void *ctx, uint32_t day)
{
	struct session_book *b = ctx;
	for (uint32_t i = 0; i < b->fresh_slots; i++)
		if (b->slots[i].id != 0 && b->slots[i].day == day)
			b->slots[i].gone = true;
}

/* Ends it if it is over; false: it was ended. */
static bool look_at(struct session_book *b, struct session *s, int64_t now, uint32_t *left)
{
	bool heard_open = s->monitor_open || s->wire_open;
	/* The guest says that it is over; what the wire still hears is not. */
	if (s->shut_ns != 0 && !s->wire_open && now - s->shut_ns > LINGER_NS) {
		book_end(b, s, "closed", s->last_ns);
		return false;
	}
	if (!heard_open && s->shut_ns == 0 && now - s->last_ns > IDLE_NS) {
		book_end(b, s, "idle", s->last_ns);
		return false;
	}
	if (s->kept && s->dirty && *left > 0 &&
	    now - s->written_ns > RECORD_NS * (1 + s->n_blocks / 2)) {
		int err = record_write(b, s, 0, "");
		if (err != 0 && b->folder.err == 0)
			b->folder.err = err;
		--*left;
		if (now - s->told_ns > UPDATE_NS)
			tell_session(b, s, "update", "", now);
	}
	return true;
}

int session_book_tick(struct session_book *b, int64_t now_wall_ns, uint32_t *ret_days)
{
	b->now_ns = now_wall_ns;
	shell_parked(b, now_wall_ns);
	for (uint32_t i = 0; i < FILES_OPEN; i++)
		if (b->files->open[i].id != 0 &&
		    now_wall_ns - b->files->open[i].last_ns > 60 * NS_PER_SEC)
			session_file_end(b, b->files->open[i].id, false, now_wall_ns);
	for (uint32_t g = 0; g < b->conf.n_guests; g++) {
		/* A share each: one guest's many must not keep another's from the disk. */
		uint32_t left = 1 + RECORDS_A_TICK / b->conf.n_guests;
		for (uint32_t n = b->guests[g].newest, older; n != 0; n = older) {
			older = b->slots[n - 1].older;
			look_at(b, &b->slots[n - 1], now_wall_ns, &left);
		}
		tell_suppressed(b, g, now_wall_ns);
	}
	cast_flush_all(b);
	lines_flush(&b->folder, &b->folder.list);
	lines_flush(&b->folder, &b->folder.cowrie);
	folder_used(&b->folder, day_of(now_wall_ns), 0);
	*ret_days = folder_keep(&b->folder, day_gone, b);
	int err = b->folder.err != 0 ? b->folder.err : b->files->err;
	b->folder.err = b->files->err = 0;
	return err;
}
