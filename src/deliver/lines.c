/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Syslog: one message, one connection. Nobody answers there, so it counts as delivered once the other
 * side's kernel has acknowledged all of it and has not reset the connection after our end of it; a
 * server that refuses our certificate or has no room says so by then. Framed by octet counting
 * (RFC 6587, 3.4.1; RFC 5425); over UDP one datagram (RFC 5426).
 */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <linux/sockios.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CLOSE_NS (3 * NS_PER_SEC)
#define REFUSED_NS (300 * NS_PER_MS) /* for "nobody listens there" to come back */

static int frame(struct job *j)
{
	char count[24];
	struct writer w = writer_of(count, sizeof(count));
	while (j->len > 0 && (j->body[j->len - 1] == '\n' || j->body[j->len - 1] == '\r'))
		j->len--;
	if (!j->datagram)
		write_fmt(&w, "%zu ", j->len);
	uint8_t *all = malloc(w.len + j->len + 1);
	if (all == NULL)
		return -ENOMEM;
	memcpy(all, count, w.len);
	memcpy(all + w.len, j->body, j->len);
	free(j->body);
	j->body = all;
	j->len += w.len;
	return 0;
}

int deliver_lines_begin(struct job *j)
{
	struct target t;
	int err = target_of(j->to, &t);
	if (err != 0)
		return err;
	j->datagram = t.scheme == TO_UDP;
	err = job_easy(j, t.url, t.scheme == TO_TLS ? "https" : "http");
	if (err == 0)
		err = frame(j);
	if (err != 0)
		return err;
	bool bad = curl_easy_setopt(j->easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK;
	/* Else curl closes it before we have it; nobody else gets it even so. */
	bad |= curl_easy_setopt(j->easy, CURLOPT_FORBID_REUSE, 0L) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_SSL_ENABLE_ALPN, 0L) != CURLE_OK;
	return bad ? -ENOMEM : 0;
}

void deliver_lines_over(struct job *j, CURLcode code)
{
	if (code != CURLE_OK) {
		job_unreached(j, code);
		return;
	}
	if (j->probe) {
		job_result(j, DELIVER_OK, 0, 0, "connected");
		return;
	}
	j->at = 0;
	j->phase = JOB_SEND;
	j->until_ns = clock_boot_ns() + j->d->whole_ms * NS_PER_MS;
}

static int active(const struct job *j)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	if (curl_easy_getinfo(j->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK)
		return -1;
	return fd == CURL_SOCKET_BAD ? -1 : fd;
}

/* We have said all: with TLS's own end first, so that it can't have been cut by somebody between. */
static void say_end(struct job *j)
{
	struct curl_tlssessioninfo *tls = NULL;
	j->phase = JOB_CLOSE;
	j->until_ns = clock_boot_ns() + (j->datagram ? REFUSED_NS : CLOSE_NS);
	if (j->datagram)
		return;
	if (curl_easy_getinfo(j->easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls != NULL &&
	    tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals != NULL)
		(void)SSL_shutdown(tls->internals);
	(void)shutdown(active(j), SHUT_WR);
}

static void send_some(struct job *j)
{
	while (j->at < j->len) {
		size_t n = 0;
		CURLcode code = CURLE_OK;
		if (j->datagram) {
			if (send(active(j), j->body, j->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
				bool size = errno == EMSGSIZE;
				job_result(j, size ? DELIVER_NEVER : DELIVER_LATER, 0, 0,
					   err_text(-errno));
				return;
			}
			n = j->len;
		} else {
			code = curl_easy_send(j->easy, j->body + j->at, j->len - j->at, &n);
		}
		if (code == CURLE_AGAIN)
			return;
		if (code != CURLE_OK) {
			job_unreached(j, code);
			return;
		}
		j->at += n;
	}
	say_end(j);
}

/* true: the other side's kernel has all that we sent. */
static bool acknowledged(const struct job *j)
{
	int left = 0;
	return j->datagram || (ioctl(active(j), SIOCOUTQ, &left) == 0 && left == 0);
}

static void hear_end(struct job *j)
{
	char buf[1024];
	size_t n = 1;
	CURLcode code = CURLE_OK;
	for (int i = 0; i < 64 && n > 0 && code == CURLE_OK; i++) {
		n = 0;
		if (!j->datagram) {
			code = curl_easy_recv(j->easy, buf, sizeof(buf), &n);
			continue;
		}
		ssize_t got = recv(active(j), buf, sizeof(buf), MSG_DONTWAIT);
		n = got > 0 ? (size_t)got : 0;
		if (got < 0)
			code = errno == EAGAIN ? CURLE_AGAIN : CURLE_RECV_ERROR;
	}
	if (code == CURLE_OK && n == 0 && !j->datagram)
		job_result(j, DELIVER_OK, 0, 0, "taken");
	else if (code != CURLE_OK && code != CURLE_AGAIN)
		job_result(j, DELIVER_LATER, 0, 0,
			   j->datagram ? "nobody listens there" : job_error(j, code));
}

void deliver_lines_step(struct job *j, short *ret_events)
{
	if (j->phase == JOB_SEND)
		send_some(j);
	if (j->phase == JOB_CLOSE)
		hear_end(j);
	*ret_events = j->phase == JOB_SEND ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN;
	if ((j->phase != JOB_SEND && j->phase != JOB_CLOSE) || clock_boot_ns() < j->until_ns)
		return;
	if (j->phase == JOB_CLOSE && acknowledged(j))
		job_result(j, DELIVER_OK, 0, 0, j->datagram ? "sent" : "taken");
	else
		job_result(j, DELIVER_LATER, 0, 0, "it did not take the message in time");
}
