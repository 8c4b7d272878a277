/* SPDX-License-Identifier: BSD-2-Clause */
/* Deliveries beside one another: one of curl's multi handles, at most one job of each destination. */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 15000
#define WHOLE_MS 60000
#define HEADERS_MOST (64u << 10)

/* ---- what curl calls ---------------------------------------------------------------------------- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct job *j = ctx;
	if (purpose != CURLSOCKTYPE_IPCXN || (a->family != AF_INET && a->family != AF_INET6))
		return CURL_SOCKET_BAD;
	if (j->datagram) { /* curl knows no datagrams, but connects whatever socket it is given */
		a->socktype = SOCK_DGRAM;
		a->protocol = IPPROTO_UDP;
	}
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
	for (size_t i = 0; i < JOB_FDS && fd >= 0; i++)
		if (j->fds[i] < 0) {
			j->fds[i] = fd;
			return fd;
		}
	if (fd >= 0)
		close(fd);
	return CURL_SOCKET_BAD;
}

static int close_socket(void *ctx, curl_socket_t fd)
{
	struct job *j = ctx;
	for (size_t i = 0; i < JOB_FDS; i++)
		if (j->fds[i] == fd)
			j->fds[i] = -1;
	return close(fd);
}

/* After QUIT curl would wait for the answer, and everybody else with it: with nothing more to be read it
 * goes on at once. */
static void hear_no_more(struct job *j)
{
	for (size_t i = 0; i < JOB_FDS; i++)
		if (j->fds[i] >= 0)
			(void)shutdown(j->fds[i], SHUT_RD);
}

static int debug(CURL *easy, curl_infotype type, char *data, size_t len, void *ctx)
{
	struct job *j = ctx;
	(void)easy;
	if (type == CURLINFO_HEADER_OUT)
		deliver_talk_sent(&j->talk, data, len);
	if (type == CURLINFO_HEADER_IN)
		deliver_talk_heard(&j->talk, data, len);
	if (j->talk.quit)
		hear_no_more(j);
	return 0;
}

static size_t answer(char *data, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	size_t len = size * n, room = sizeof(j->answer) - j->answer_len;
	j->answer_total += len;
	if (j->answer_total > JOB_ANSWER_MOST)
		return 0;
	memcpy(j->answer + j->answer_len, data, len < room ? len : room);
	j->answer_len += len < room ? len : room;
	return len;
}

static size_t header(char *data, size_t size, size_t n, void *ctx)
{
	static const char retry[] = "retry-after:";
	struct job *j = ctx;
	size_t len = size * n;
	j->answer_total += len;
	if (j->answer_total > HEADERS_MOST + j->answer_len)
		return 0;
	if (len >= sizeof(retry) - 1 && strncasecmp(data, retry, sizeof(retry) - 1) == 0)
		j->retry_after = answer_retry_after(data + sizeof(retry) - 1,
						    len - (sizeof(retry) - 1), clock_wall_ns());
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
		size_t k = len < sizeof(j->status) - 1 ? len : sizeof(j->status) - 1;
		memcpy(j->status, data, k);
		j->status[k] = '\0';
		j->status[strcspn(j->status, "\r\n")] = '\0';
	}
	return len;
}

static size_t body(char *data, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;
	size_t left = j->len - j->at, len = size * n < left ? size * n : left;
	memcpy(data, j->body + j->at, len);
	j->at += len;
	return len;
}

/* The operator's own certificates beside the system's. */
static CURLcode trust(CURL *easy, void *ssl_ctx, void *ctx)
{
	const struct job *j = ctx;
	const char *pem = j->d->secrets->to[j->index].ca;
	X509 *cert;
	(void)easy;
	BIO *in = BIO_new_mem_buf(pem, -1);
	if (in == NULL)
		return CURLE_OUT_OF_MEMORY;
	X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		(void)X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	ERR_clear_error(); /* the end of the text is one as well */
	BIO_free(in);
	return CURLE_OK;
}

/* ---- one job -------------------------------------------------------------------------------------- */

static void end_easy(struct job *j)
{
	if (j->easy != NULL) {
		hear_no_more(j); /* it says good-bye here as well, if it was under way */
		(void)curl_multi_remove_handle(j->d->multi, j->easy);
		curl_easy_cleanup(j->easy);
	}
	curl_slist_free_all(j->list);
	j->easy = NULL;
	j->list = NULL;
}

static void free_job(struct job *j)
{
	end_easy(j);
	if (j->body != NULL)
		explicit_bzero(j->body, j->len);
	free(j->body);
	j->body = NULL;
	j->phase = JOB_FREE;
}

static bool set_limits(struct job *j, const char *url, const char *protocols)
{
	CURL *e = j->easy;
	bool bad = curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, protocols) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "") != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, j->d->connect_ms) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, j->d->whole_ms) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK;
	/* The cache would give the trust of one destination to another. */
	bad |= curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L) != CURLE_OK;
	return bad;
}

static bool set_calls(struct job *j)
{
	CURL *e = j->easy;
	bool bad = curl_easy_setopt(e, CURLOPT_PRIVATE, j) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, j->error) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, j) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, j) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, answer) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, j) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, header) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, j) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_READFUNCTION, body) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_READDATA, j) != CURLE_OK;
	/* What it tells here is how we know which command was refused. */
	bad |= curl_easy_setopt(e, CURLOPT_VERBOSE, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, debug) != CURLE_OK;
	bad |= curl_easy_setopt(e, CURLOPT_DEBUGDATA, j) != CURLE_OK;
	if (j->d->secrets->to[j->index].ca[0] != '\0') {
		bad |= curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, trust) != CURLE_OK;
		bad |= curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, j) != CURLE_OK;
	}
	return bad;
}

int job_easy(struct job *j, const char *url, const char *protocols)
{
	end_easy(j);
	j->error[0] = j->status[0] = '\0';
	j->answer_len = j->answer_total = 0;
	j->retry_after = 0;
	j->at = 0;
	memset(&j->talk, 0, sizeof(j->talk));
	for (size_t i = 0; i < JOB_FDS; i++)
		j->fds[i] = -1;
	j->easy = curl_easy_init();
	if (j->easy == NULL)
		return -ENOMEM;
	return set_limits(j, url, protocols) || set_calls(j) ? -ENOMEM : 0;
}

void job_result(struct job *j, enum deliver_outcome outcome, long code, uint32_t after_s,
		const char *text)
{
	struct deliver_result *r = &j->result;
	r->outcome = (uint8_t)outcome;
	r->code = (int32_t)code;
	r->after_s = after_s < AFTER_MOST_S ? after_s : AFTER_MOST_S;
	text_copy(r->text, sizeof(r->text), text);
	j->phase = JOB_DONE;
}

const char *job_error(const struct job *j, CURLcode code)
{
	return j->error[0] != '\0' ? j->error : curl_easy_strerror(code);
}

void job_unreached(struct job *j, CURLcode code)
{
	bool lasting = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_USE_SSL_FAILED ||
		       code == CURLE_SSL_CACERT_BADFILE;
	job_result(j, DELIVER_LATER, 0, lasting ? AFTER_REFUSED_S : 0, job_error(j, code));
}

static int transfer(struct job *j)
{
	const char *token = NULL;
	int err = SKEP_EUNSUPPORTED;
	if (j->to->kind == DEST_SMTP) {
		if (j->to->auth == AUTH_XOAUTH2)
			token = j->to->oauth_url[0] != '\0' ? j->d->tokens[j->index].text
							    : j->d->secrets->to[j->index].secret;
		err = deliver_mail_begin(j, token);
	} else if (j->to->kind == DEST_SYSLOG) {
		err = deliver_lines_begin(j);
	} else if (j->to->kind >= DEST_SLACK && j->to->kind <= DEST_WEBHOOK) {
		err = deliver_web_begin(j);
	}
	if (err == 0 && j->probe && curl_easy_setopt(j->easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK)
		err = -ENOMEM;
	if (err == 0 && curl_multi_add_handle(j->d->multi, j->easy) != CURLM_OK)
		err = -ENOMEM;
	j->phase = JOB_TRANSFER;
	return err;
}

static bool needs_token(const struct job *j)
{
	return j->to->kind == DEST_SMTP && j->to->auth == AUTH_XOAUTH2 &&
	       j->to->oauth_url[0] != '\0' && j->d->tokens[j->index].until_ns <= clock_boot_ns();
}

static int begin(struct deliver *d, uint8_t destination, uint64_t number, const void *data,
		 size_t len, bool probe)
{
	if (destination >= d->c->n_to || destination >= CONF_DESTINATIONS)
		return -EINVAL;
	struct job *j = &d->jobs[destination];
	if (j->phase != JOB_FREE)
		return -EBUSY;
	uint8_t *copy = malloc(len + 1);
	if (copy == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, data, len);
	memset(j, 0, sizeof(*j));
	*j = (struct job){.d = d, .to = &d->c->to[destination], .index = destination};
	j->body = copy;
	j->len = len;
	j->probe = probe;
	j->result = (struct deliver_result){.number = number, .destination = destination};
	int err = 0;
	if (needs_token(j)) {
		err = deliver_token_begin(j);
		if (err == 0 && curl_multi_add_handle(d->multi, j->easy) != CURLM_OK)
			err = -ENOMEM;
		j->phase = JOB_TOKEN;
	} else {
		err = transfer(j);
	}
	if (err != 0)
		free_job(j);
	return err;
}

int deliver_start(struct deliver *d, uint8_t destination, uint64_t number, const void *data,
		  size_t len)
{
	return begin(d, destination, number, data, len, false);
}

int deliver_probe(struct deliver *d, uint8_t destination, uint64_t number)
{
	return begin(d, destination, number, NULL, 0, true);
}

/* ---- all of them ------------------------------------------------------------------------------------ */

static void over(struct job *j, CURLcode code)
{
	if (j->phase == JOB_TOKEN) {
		int err = deliver_token_over(j, code);
		if (err == 0 && (err = transfer(j)) != 0)
			job_result(j, DELIVER_LATER, 0, 0, err_text(err));
	} else if (j->to->kind == DEST_SMTP) {
		deliver_mail_over(j, code);
	} else if (j->to->kind == DEST_SYSLOG) {
		deliver_lines_over(j, code);
	} else {
		deliver_web_over(j, code);
	}
	if (j->phase == JOB_DONE)
		end_easy(j);
}

static void run(struct deliver *d)
{
	int n;
	(void)curl_multi_perform(d->multi, &n);
	for (CURLMsg *m; (m = curl_multi_info_read(d->multi, &n)) != NULL;) {
		struct job *j = NULL;
		CURLcode code = m->data.result;
		if (m->msg == CURLMSG_DONE &&
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&j) == CURLE_OK &&
		    j != NULL)
			over(j, code);
	}
}

static bool any_result(const struct deliver *d)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++)
		if (d->jobs[i].phase == JOB_DONE)
			return true;
	return false;
}

/* Moves what curl has connected and we send ourselves; waits for them. Returns how long at most. */
static int step_lines(struct deliver *d, struct curl_waitfd *fds, unsigned *n, int wait_ms)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++) {
		struct job *j = &d->jobs[i];
		short events = 0;
		curl_socket_t fd = CURL_SOCKET_BAD;
		if (j->phase != JOB_SEND && j->phase != JOB_CLOSE)
			continue;
		deliver_lines_step(j, &events);
		if (j->phase == JOB_DONE) {
			end_easy(j);
			return 0;
		}
		if (curl_easy_getinfo(j->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
		    fd != CURL_SOCKET_BAD)
			fds[(*n)++] = (struct curl_waitfd){.fd = fd, .events = events};
		int64_t left = (j->until_ns - clock_boot_ns()) / NS_PER_MS + 1;
		if (left < wait_ms)
			wait_ms = left > 0 ? (int)left : 0;
	}
	return wait_ms;
}

int deliver_work(struct deliver *d, int fd, int timeout_ms)
{
	int64_t until = clock_boot_ns() + timeout_ms * NS_PER_MS;
	for (;;) {
		struct curl_waitfd fds[CONF_DESTINATIONS + 1] = {
			{.fd = fd, .events = CURL_WAIT_POLLIN}};
		unsigned n = fd >= 0 ? 1 : 0;
		int64_t left = (until - clock_boot_ns()) / NS_PER_MS;
		run(d);
		int wait_ms = step_lines(d, fds, &n, left > 0 ? (int)left : 0);
		if (any_result(d))
			return 0;
		CURLMcode m = curl_multi_poll(d->multi, fds, n, wait_ms, NULL);
		if (m != CURLM_OK)
			return m == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO;
		if ((fd >= 0 && fds[0].revents != 0) || clock_boot_ns() >= until) {
			run(d);
			return 0;
		}
	}
}

bool deliver_next(struct deliver *d, struct deliver_result *ret)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++) {
		struct job *j = &d->jobs[i];
		if (j->phase != JOB_DONE)
			continue;
		*ret = j->result;
		free_job(j);
		return true;
	}
	return false;
}

void deliver_timeouts(struct deliver *d, long connect_ms, long whole_ms)
{
	d->connect_ms = connect_ms;
	d->whole_ms = whole_ms;
}

uint64_t deliver_mark(const struct conf_destination *to)
{
	static const uint64_t key[2] = {1, 2}; /* nobody but the operator chooses what is hashed */

	return hash_keyed(key, to, sizeof(*to));
}

int deliver_create(const struct conf_alerts *c, const struct deliver_secrets *secrets,
		   struct deliver **ret)
{
	struct deliver *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	d->c = c;
	d->secrets = secrets;
	d->connect_ms = CONNECT_MS;
	d->whole_ms = WHOLE_MS;
	/* OpenSSL writes to connections that the other side has left. */
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(d);
		return -EIO;
	}
	d->multi = curl_multi_init();
	if (d->multi == NULL) {
		deliver_destroy(&d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void deliver_destroy(struct deliver **d)
{
	if (*d == NULL)
		return;
	for (size_t i = 0; i < CONF_DESTINATIONS; i++)
		if ((*d)->jobs[i].d != NULL)
			free_job(&(*d)->jobs[i]);
	if ((*d)->multi != NULL)
		(void)curl_multi_cleanup((*d)->multi);
	curl_global_cleanup();
	explicit_bzero((*d)->tokens, sizeof((*d)->tokens));
	free(*d);
	*d = NULL;
}
