/* SPDX-License-Identifier: BSD-2-Clause */
/* SMB1, SMB2 and RPC from messages built here, after MS-CIFS, MS-SMB2 and C706. */
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define C TO_SERVER
#define S TO_CLIENT
#define MESSAGES 32u

static void has(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text == NULL ? "" : text);
}

static void lacks(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text == NULL ? "" : text);
}

/* ---- building ---------------------------------------------------------------------------------- */

struct build {
	uint8_t b[200000];
	uint32_t n, from; /* from: where the message's header begins */
	struct said said[MESSAGES];
	uint32_t n_said;
};

static void put(struct build *b, const void *p, uint32_t n)
{
	assert_true(b->n + n <= sizeof(b->b));
	memcpy(b->b + b->n, p, n);
	b->n += n;
}

static void le(struct build *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		put(b, &(uint8_t){(uint8_t)v}, 1);
}

static void zero(struct build *b, uint32_t n)
{
	while (n-- > 0)
		le(b, 0, 1);
}

static void utf16(struct build *b, const char *s)
{
	for (; *s != 0; s++)
		le(b, (uint8_t)*s, 2);
}

static void begin(struct build *b)
{
	b->from = b->n + 4;
	zero(b, 4);
}

static void end(struct build *b, unsigned dir)
{
	uint32_t n = b->n - b->from;
	store_be32(b->b + b->from - 4, n);
	assert_true(b->n_said < MESSAGES);
	b->said[b->n_said++] = (struct said){dir, b->b + b->from - 4, n + 4};
}

/* A header of SMB2; the body follows. */
static void smb2(struct build *b, unsigned dir, uint16_t command, uint64_t id, uint32_t status)
{
	begin(b);
	put(b, "\xfeSMB", 4);
	le(b, 64, 2);
	le(b, 0, 2);
	le(b, status, 4);
	le(b, command, 2);
	le(b, 1, 2);
	le(b, dir == S, 4);
	le(b, 0, 4);
	le(b, id, 8);
	le(b, 0, 4);
	le(b, 77, 4); /* tree */
	le(b, 99, 8); /* session */
	zero(b, 16);
}

static void tree2(struct build *b, uint64_t id, const char *share, uint8_t type)
{
	smb2(b, C, 3, id, 0);
	le(b, 9, 2), le(b, 0, 2), le(b, 72, 2), le(b, strlen(share) * 2, 2);
	utf16(b, share);
	end(b, C);
	smb2(b, S, 3, id, 0);
	le(b, 16, 2), le(b, type, 1), zero(b, 13);
	end(b, S);
}

static void create2(struct build *b, uint64_t id, const char *name)
{
	smb2(b, C, 5, id, 0);
	le(b, 57, 2), zero(b, 22), le(b, 0x10000, 4), zero(b, 8), le(b, 1, 4), zero(b, 4);
	le(b, 64 + 56, 2), le(b, strlen(name) * 2, 2), zero(b, 8);
	utf16(b, name);
	end(b, C);
	smb2(b, S, 5, id, 0);
	le(b, 89, 2), zero(b, 46), le(b, 5, 8), zero(b, 8), put(b, "0123456789abcdef", 16),
		zero(b, 8);
	end(b, S);
}

static void write2(struct build *b, uint64_t id, uint64_t at, const void *data, uint32_t n)
{
	smb2(b, C, 9, id, 0);
	le(b, 49, 2), le(b, 64 + 48, 2), le(b, n, 4), le(b, at, 8), put(b, "0123456789abcdef", 16),
		zero(b, 16);
	put(b, data, n);
	end(b, C);
}

static void read2(struct build *b, uint64_t id, uint64_t at, const void *data, uint32_t n)
{
	smb2(b, C, 8, id, 0);
	le(b, 49, 2), le(b, 0, 2), le(b, n, 4), le(b, at, 8), put(b, "0123456789abcdef", 16),
		zero(b, 17);
	end(b, C);
	smb2(b, S, 8, id, 0);
	le(b, 17, 2), le(b, 80, 1), le(b, 0, 1), le(b, n, 4), zero(b, 8);
	put(b, data, n);
	end(b, S);
}

static void close2(struct build *b, uint64_t id)
{
	smb2(b, C, 6, id, 0);
	le(b, 24, 2), zero(b, 6), put(b, "0123456789abcdef", 16);
	end(b, C);
}

static struct build *fresh(void)
{
	struct build *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	return b;
}

static char *told(struct build *b, enum app_proto proto)
{
	char *t = talk_cuts(proto, b->said, b->n_said);
	free(b);
	return t;
}

/* ---- SMB2 -------------------------------------------------------------------------------------- */

static void test_negotiate2(void **state)
{
	struct build *b = fresh();
	smb2(b, C, 0, 0, 0);
	le(b, 36, 2), le(b, 2, 2), zero(b, 32), le(b, 0x0202, 2), le(b, 0x0311, 2);
	end(b, C);
	smb2(b, S, 0, 0, 0);
	le(b, 65, 2), le(b, 1, 2), le(b, 0x0311, 2), zero(b, 58);
	end(b, S);
	char *t = told(b, APP_SMB);
	has(t, "\"client_dialects\":[\"2.02\",\"3.11\"]");
	has(t, "\"dialect\":\"3.11\"");
	has(t, "\"status\":\"STATUS_SUCCESS\"");
	lacks(t, "event");
	free(t);
}

static void ntlmssp(struct build *b, uint32_t user_len)
{
	uint32_t from = b->n;
	put(b, "NTLMSSP", 8), le(b, 3, 4), zero(b, 16);
	le(b, 6, 2), le(b, 6, 2), le(b, 72, 4); /* domain */
	le(b, user_len, 2), le(b, user_len, 2), le(b, 78, 4);
	le(b, 4, 2), le(b, 4, 2), le(b, 84, 4); /* host */
	zero(b, 8), le(b, 0x02000001, 4), le(b, 10, 1), le(b, 0, 1), le(b, 19041, 2), zero(b, 4);
	assert_int_equal(b->n - from, 72);
	utf16(b, "DOM"), utf16(b, "joe"), utf16(b, "PC");
}

static void test_session2(void **state)
{
	for (unsigned bad = 0; bad < 2; bad++) {
		struct build *b = fresh();
		smb2(b, C, 1, 1, 0);
		le(b, 25, 2), zero(b, 10), le(b, 64 + 24, 2), le(b, 88 + 2, 2), zero(b, 8);
		put(b, "xx", 2); /* SPNEGO is around it */
		ntlmssp(b, bad ? 600 : 6);
		end(b, C);
		smb2(b, S, 1, 1, 0xc000006d);
		le(b, 9, 2), zero(b, 6);
		end(b, S);
		char *t = told(b, APP_SMB);
		has(t, ">smb.ntlmssp_domain[0]+0: DOM\n");
		if (bad == 0) {
			has(t, ">smb.ntlmssp_user[0]+0: joe\n");
			has(t, "\"host\":\"PC\"");
			has(t, "10.0 build 19041");
			lacks(t, "event");
		} else {
			has(t, "event malformed_ntlmssp_request");
			lacks(t, "ntlmssp_user");
		}
		has(t, "STATUS_LOGON_FAILURE");
		free(t);
	}
}

static void test_file2(void **state)
{
	struct build *b = fresh();
	tree2(b, 1, "\\\\srv\\data", 1);
	create2(b, 2, "dir\\f.exe");
	write2(b, 3, 0, "hello ", 6);
	write2(b, 4, 3, "lo world", 8); /* overlaps */
	read2(b, 5, 0, "read back", 9);
	close2(b, 6);
	char *t = told(b, APP_SMB);
	has(t, ">smb.share[0]+0: \\\\srv\\data\n");
	lacks(t, "smb.named_pipe");
	has(t, "\"filename\":\"dir\\\\f.exe\"");
	has(t, ">file.data[0]+0: hello world\n");
	has(t, "<file.data[0]+0: read back\n");
	has(t, ">file.name[0]+0: dir\\f.exe\n");
	has(t, "event file_overlap");
	has(t, "size 11 dir 0 closed");
	has(t, "size 9 dir 1 closed");
	has(t, "\"fuid\":\"33323130-3534-3736-3839-616263646566\"");
	free(t);
}

static void test_large2(void **state)
{
	static uint8_t data[100000];
	memset(data, 'z', sizeof(data));
	struct build *b = fresh();
	tree2(b, 1, "\\\\srv\\data", 1);
	create2(b, 2, "big");
	write2(b, 3, 0, data, sizeof(data)); /* longer than is waited for */
	write2(b, 4, sizeof(data), "end", 3);
	close2(b, 5);
	char *t = talk_run(APP_SMB, true, b->said, b->n_said, 0);
	char *u = talk_run(APP_SMB, true, b->said, b->n_said, 1499);
	has(t, "size 100003 dir 0 closed");
	lacks(t, "gaps");
	lacks(t, "event");
	assert_string_equal(t, u);
	free(t);
	free(u);
	free(b);
}

static void test_wrong_way(void **state)
{
	struct build *b = fresh();
	close2(b, 1);
	b->said[0].dir = S;
	char *t = told(b, APP_SMB);
	has(t, "event request_to_client");
	free(t);
}

/* Lengths and offsets of every field set to the worst. */
static void test_hostile(void **state)
{
	for (uint16_t command = 0; command < 12; command++) {
		for (unsigned fill = 0; fill < 4; fill++) {
			struct build *b = fresh();
			for (unsigned dir = 0; dir < 2; dir++) {
				smb2(b, dir, command, 1, 0);
				for (unsigned i = 0; i < 100; i++)
					le(b,
					   fill == 0   ? 0xff
					   : fill == 1 ? 0x7f
					   : fill == 2 ? 64
						       : i,
					   1);
				end(b, dir);
			}
			free(told(b, APP_SMB));
		}
	}
}

/* ---- RPC --------------------------------------------------------------------------------------- */

static const uint8_t iface_wire[20] = {0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00,
				       0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 3,    0,    0,    0};

static void rpc_head(struct build *b, uint8_t type, uint8_t flags, uint16_t len, uint32_t call)
{
	put(b, (const uint8_t[]){5, 0, type, flags, 0x10, 0, 0, 0}, 8);
	le(b, len, 2), le(b, 0, 2), le(b, call, 4);
}

static void rpc_bind(struct build *b)
{
	rpc_head(b, 11, 3, 72, 1);
	zero(b, 8), le(b, 1, 4), le(b, 7, 2), le(b, 1, 2);
	put(b, iface_wire, 20), zero(b, 20);
}

static void rpc_ack(struct build *b)
{
	rpc_head(b, 12, 3, 60, 1);
	zero(b, 8), le(b, 3, 2), put(b, "12", 3), zero(b, 3), le(b, 1, 4), le(b, 0, 2), zero(b, 22);
}

static void rpc_request(struct build *b, uint8_t flags, const char *stub)
{
	rpc_head(b, 0, flags, (uint16_t)(24 + strlen(stub)), 2);
	le(b, 0, 4), le(b, 7, 2), le(b, 9, 2), put(b, stub, (uint32_t)strlen(stub));
}

static void rpc_response(struct build *b, const char *stub)
{
	rpc_head(b, 2, 3, (uint16_t)(24 + strlen(stub)), 2);
	zero(b, 8), put(b, stub, (uint32_t)strlen(stub));
}

static void rpc_check(const char *t)
{
	has(t,
	    "\"interfaces\":[{\"ack_result\":0,\"uuid\":\"12345778-1234-abcd-ef00-0123456789ab\","
	    "\"version\":\"3.0\"}]");
	has(t, ">dcerpc.stub_data[0]+0: one two\n");
	has(t, "<dcerpc.stub_data[0]+0: answer\n");
	has(t,
	    ">dcerpc.iface[0]+0: \\x124Wx\\x124\\xab\\xcd\\xef\\x00\\x01#Eg\\x89\\xab\\x00\\x03\n");
	has(t, "number 7 = 9\n");
	has(t, "\"frag_cnt\":2");
	has(t, "\"request\":\"REQUEST\"");
	has(t, "\"response\":\"RESPONSE\"");
}

static void raw(struct build *b, unsigned dir, uint32_t from)
{
	b->said[b->n_said++] = (struct said){dir, b->b + from, b->n - from};
}

static void test_rpc_tcp(void **state)
{
	struct build *b = fresh();
	rpc_bind(b), raw(b, C, 0);
	uint32_t from = b->n;
	rpc_ack(b), raw(b, S, from), from = b->n;
	rpc_request(b, 1, "one "), rpc_request(b, 2, "two"), raw(b, C, from), from = b->n;
	rpc_response(b, "answer"), raw(b, S, from);
	char *t = told(b, APP_DCERPC);
	rpc_check(t);
	has(t, "tx 1 progress 255 255");
	lacks(t, "tx 2");
	free(t);
}

static void test_rpc_broken(void **state)
{
	struct build *b = fresh();
	rpc_head(b, 0, 3, 15, 1); /* shorter than its head */
	raw(b, C, 0);
	b->said[b->n_said++] = (struct said){S, "\x05\x00\x0c\x03\x00\x00\x00\x00\x00\x10", 10};
	b->said[b->n_said++] = (struct said){C, "more", 4};
	char *t = told(b, APP_DCERPC);
	assert_string_equal(t, "");
	free(t);
}

static void pipe_write(struct build *b, uint64_t id, void (*make)(struct build *))
{
	smb2(b, C, 9, id, 0);
	uint32_t at = b->n;
	le(b, 49, 2), le(b, 64 + 48, 2), le(b, 0, 4), le(b, 0, 8), put(b, "0123456789abcdef", 16),
		zero(b, 16);
	make(b);
	b->b[at + 4] = (uint8_t)(b->n - at - 48);
	end(b, C);
}

static void both_requests(struct build *b)
{
	rpc_request(b, 1, "one ");
	rpc_request(b, 2, "two");
}

static void pipe_read(struct build *b, uint64_t id, void (*make)(struct build *))
{
	smb2(b, C, 8, id, 0);
	le(b, 49, 2), le(b, 0, 2), le(b, 1000, 4), le(b, 0, 8), put(b, "0123456789abcdef", 16),
		zero(b, 17);
	end(b, C);
	smb2(b, S, 8, id, 0);
	uint32_t at = b->n;
	le(b, 17, 2), le(b, 80, 1), le(b, 0, 1), le(b, 0, 4), zero(b, 8);
	make(b);
	b->b[at + 4] = (uint8_t)(b->n - at - 16);
	end(b, S);
}

static void answer_head(struct build *b)
{
	rpc_head(b, 2, 3, 30, 2);
	zero(b, 8), put(b, "ans", 3);
}

static void answer_tail(struct build *b)
{
	put(b, "wer", 3);
}

static void test_rpc_pipe(void **state)
{
	struct build *b = fresh();
	tree2(b, 1, "\\\\srv\\IPC$", 2);
	create2(b, 2, "samr");
	pipe_write(b, 3, rpc_bind);
	pipe_read(b, 4, rpc_ack);
	pipe_write(b, 5, both_requests);
	pipe_read(b, 6, answer_head); /* a fragment in two reads */
	pipe_read(b, 7, answer_tail);
	char *t = told(b, APP_SMB);
	has(t, ">smb.named_pipe[0]+0: \\\\srv\\IPC$\n");
	lacks(t, "smb.share");
	lacks(t, "file.data");
	rpc_check(t);
	free(t);
}

static void say_range(struct talk *t, const struct build *b, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		talk_say(t, b->said[i].dir, b->said[i].data, b->said[i].len, 7);
}

/* A hole, and then the second half of a message: the next record is found, and RPC in it. */
static void test_gap_pipe(void **state)
{
	struct build *b = fresh();
	struct talk t;
	tree2(b, 1, "\\\\srv\\IPC$", 2);
	uint32_t before = b->n_said;
	create2(b, 2, "lost");
	uint32_t after = b->n_said;
	create2(b, 3, "samr");
	pipe_write(b, 4, rpc_bind);
	pipe_read(b, 5, rpc_ack);
	pipe_write(b, 6, both_requests);
	pipe_read(b, 7, answer_head);
	pipe_read(b, 8, answer_tail);
	talk_open(&t, APP_SMB, true);
	say_range(&t, b, 0, before);
	talk_say(&t, C, b->said[before].data, 10, 0); /* waits for the rest, which is lost */
	talk_gap(&t, C, 40);
	talk_say(&t, C, "SMB SMB\xffSMB\0\0\0\0\xfeSM", 18, 1);
	talk_gap(&t, S, 1000);
	say_range(&t, b, after, b->n_said);
	char *text = talk_tell(&t);
	has(text, "smb.named_pipe[0]+0: \\\\srv\\IPC$\n");
	lacks(text, "lost");
	rpc_check(text);
	free(text);
	talk_end(&t);
	talk_close(&t);
	free(b);
}

/* Nothing behind the gap is a record: nothing is made of it, nothing is kept waiting. */
static void test_gap_noise(void **state)
{
	struct talk t;
	talk_open(&t, APP_SMB, true);
	talk_gap(&t, C, 1);
	for (unsigned i = 0; i < 1000; i++)
		talk_say(&t, C, "SMB\xffSMB\0\0\0\x1f\xffSMB", 15, 0); /* too short for a message */
	assert_true(t.n_held[C] < 8);
	assert_null(t.app->tx_first);
	talk_end(&t);
	talk_close(&t);
}

static void test_gap_tcp(void **state)
{
	struct build *b = fresh();
	struct talk t;
	rpc_bind(b), raw(b, C, 0);
	uint32_t from = b->n;
	rpc_ack(b), raw(b, S, from), from = b->n;
	rpc_request(b, 1, "one "), raw(b, C, from), from = b->n;
	rpc_request(b, 3, "after"), raw(b, C, from), from = b->n;
	rpc_response(b, "answer"), raw(b, S, from);
	talk_open(&t, APP_DCERPC, true);
	say_range(&t, b, 0, 3);
	talk_gap(&t, C, 100);
	talk_say(&t, C, "\x05\0\x0c\xff\x10\0\x01\0\x05\0\x05", 11, 0);
	say_range(&t, b, 3, 5);
	char *text = talk_tell(&t);
	has(text, "dcerpc.stub_data[0]+0: one \n");
	has(text, "dcerpc.stub_data[0]+0: after\n");
	has(text, "dcerpc.stub_data[0]+0: answer\n");
	has(text, "tx 2");
	lacks(text, "tx 3");
	free(text);
	talk_end(&t);
	talk_close(&t);
	free(b);
}

/* ---- SMB1 -------------------------------------------------------------------------------------- */

static void smb1(struct build *b, unsigned dir, uint8_t command)
{
	begin(b);
	put(b, "\xffSMB", 4);
	le(b, command, 1), le(b, 0, 4), le(b, dir == S ? 0x80 : 0, 1), le(b, 0x4000, 2);
	zero(b, 12), le(b, 5, 2), le(b, 1, 2), le(b, 6, 2), le(b, 1, 2);
}

static void test_smb1(void **state)
{
	struct build *b = fresh();
	smb1(b, C, 0x72);
	le(b, 0, 1), le(b, 24, 2), put(b, "\2NT LM 0.11", 12), put(b, "\2NT LM 0.12", 12);
	end(b, C);
	smb1(b, S, 0x72);
	le(b, 1, 1), le(b, 1, 2), le(b, 0, 2);
	end(b, S);
	/* session setup and, chained, a tree */
	smb1(b, C, 0x73);
	le(b, 13, 1), le(b, 0x75, 1), le(b, 0, 1), le(b, 32 + 1 + 26 + 2 + 18, 2), zero(b, 10);
	le(b, 2, 2), le(b, 0, 2), zero(b, 8);
	le(b, 18, 2), put(b, "pwjoe\0DOM\0Unix\0lm", 18);
	le(b, 4, 1), le(b, 0xff, 1), zero(b, 5), le(b, 1, 2), le(b, 16, 2);
	put(b, "\0\\\\srv\\c\0?????", 15), le(b, 0, 1);
	end(b, C);
	smb1(b, S, 0x73);
	le(b, 3, 1), le(b, 0x75, 1), le(b, 0, 1), le(b, 32 + 1 + 6 + 2, 2), le(b, 0, 2),
		le(b, 0, 2);
	le(b, 2, 1), le(b, 0xff, 1), zero(b, 3), le(b, 3, 2), put(b, "A:", 3);
	end(b, S);
	smb1(b, C, 0xa2);
	le(b, 24, 1), le(b, 0xff, 1), zero(b, 34), le(b, 2, 4), zero(b, 9), le(b, 6, 2),
		put(b, "a.txt", 6);
	end(b, C);
	smb1(b, S, 0xa2);
	le(b, 34, 1), le(b, 0xff, 1), zero(b, 4), le(b, 0x1234, 2), zero(b, 61), le(b, 0, 2);
	end(b, S);
	smb1(b, C, 0x2f);
	le(b, 12, 1), le(b, 0xff, 1), zero(b, 3), le(b, 0x1234, 2), zero(b, 14), le(b, 4, 2),
		le(b, 32 + 1 + 24 + 2, 2), le(b, 4, 2), put(b, "data", 4);
	end(b, C);
	smb1(b, C, 0x04);
	le(b, 3, 1), le(b, 0x1234, 2), zero(b, 4), le(b, 0, 2);
	end(b, C);
	char *t = told(b, APP_SMB);
	has(t, "\"client_dialects\":[\"NT LM 0.11\",\"NT LM 0.12\"]");
	has(t, "\"dialect\":\"NT LM 0.12\"");
	has(t, ">smb.ntlmssp_user[0]+0: joe\n");
	has(t, ">smb.ntlmssp_domain[0]+0: DOM\n");
	has(t, "\"native_os\":\"Unix\"");
	has(t, ">smb.share[0]+0: \\\\srv\\c\n");
	has(t, "\"filename\":\"a.txt\"");
	has(t, "\"disposition\":\"FILE_CREATE\"");
	has(t, "file a.txt size 4 dir 0 closed");
	has(t, ">file.data[0]+0: data\n");
	lacks(t, "event");
	free(t);
}

static void test_hostile1(void **state)
{
	static const uint8_t commands[] = {0x04, 0x25, 0x2d, 0x2e, 0x2f, 0x72, 0x73, 0x75, 0xa2};
	for (size_t c = 0; c < ARRAY_LEN(commands); c++) {
		for (unsigned words = 0; words < 36; words += 1) {
			struct build *b = fresh();
			for (unsigned dir = 0; dir < 2; dir++) {
				smb1(b, dir, commands[c]);
				le(b, words, 1);
				for (unsigned i = 0; i < words * 2; i++)
					le(b, i == 0 ? 0x73 : 0xff, 1);
				le(b, 0xffff, 2), put(b, "xyz", 3);
				end(b, dir);
			}
			char *t = talk_run(APP_SMB, true, b->said, b->n_said, 0);
			free(t);
			free(b);
		}
	}
}

/* More files, trees and requests than are kept. */
static void test_many(void **state)
{
	struct talk t;
	talk_open(&t, APP_SMB, true);
	for (uint32_t i = 0; i < 400; i++) {
		struct build *b = fresh();
		create2(b, i, "f");
		store_be32(b->b + b->said[1].len - 24 + b->said[0].len, i); /* of the file's id */
		tree2(b, 1000 + i, "\\\\s\\x", 1);
		smb2(b, C, 8, 5000 + i, 0);
		zero(b, 48);
		end(b, C);
		for (uint32_t k = 0; k < b->n_said; k++)
			talk_say(&t, b->said[k].dir, b->said[k].data, b->said[k].len, 0);
		free(b);
		for (struct app_tx *tx = t.app->tx_first; tx != NULL; tx = tx->next)
			tx->inspected[0] = tx->inspected[1] = true;
		app_sweep(t.app, NULL, NULL, false);
	}
	talk_end(&t);
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiate2), cmocka_unit_test(test_session2),
		cmocka_unit_test(test_file2),      cmocka_unit_test(test_large2),
		cmocka_unit_test(test_wrong_way),  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_rpc_tcp),    cmocka_unit_test(test_rpc_broken),
		cmocka_unit_test(test_rpc_pipe),   cmocka_unit_test(test_smb1),
		cmocka_unit_test(test_gap_pipe),   cmocka_unit_test(test_gap_noise),
		cmocka_unit_test(test_gap_tcp),    cmocka_unit_test(test_hostile1),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
