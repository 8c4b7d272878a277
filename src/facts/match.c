/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who greets like that? As p0f does it: what is specific before what is generic, and what is not quite
 * right (a hop limit from too far, an IP id that somebody on the way changed) only if nothing else fits.
 */
#include "facts/facts_priv.h"

#include <string.h>

#define HOPS_MOST 35
#define MSS_LEAST 100u /* below that a window is a multiple of it by chance */
#define HEAD4 40u
#define HEAD6 60u
#define ETHERNET 1500u
#define TIMESTAMPS 12u
#define OPT_TS 8u

struct greeting {
	const struct event_syn *syn;
	uint32_t quirks;
	uint8_t ver, wscale;
	bool timestamps;
};

static struct greeting greeting_of(uint8_t ver, const struct event_syn *syn)
{
	struct greeting g = {.syn = syn, .ver = ver};

	g.quirks = syn->quirks & ~(uint32_t)(SYN_ID | SYN_DATA | SYN_IP_OPTIONS | SYN_MANY);
	g.wscale = syn->wscale == 255 ? 0 : syn->wscale;
	if (ver == 4 && syn->df)
		g.quirks |= SIGN_DF | (syn->quirks & SYN_ID ? SIGN_ID_MORE : 0u);
	else if (ver == 4 && syn->quirks & SYN_ID)
		g.quirks |= SIGN_ID_NONE;
	for (unsigned i = 0; i < syn->n_options && i < EVENT_SYN_OPTIONS; i++) {
		if (syn->options[i] == 0)
			break; /* the next one is no kind */
		if (syn->options[i] == OPT_TS)
			g.timestamps = true;
	}
	return g;
}

static bool is_times(uint32_t window, uint32_t times, uint32_t size)
{
	return size > 0 && window == times * size;
}

static bool is_of_mss(const struct greeting *g, uint32_t times)
{
	const uint32_t w = g->syn->window, mss = g->syn->mss;

	if (mss < MSS_LEAST)
		return false;
	if (is_times(w, times, mss) || is_times(w, times, ETHERNET - HEAD4) ||
	    is_times(w, times, ETHERNET - HEAD4 - TIMESTAMPS))
		return true;
	if (g->timestamps && is_times(w, times, mss - TIMESTAMPS))
		return true;
	return g->ver == 6 && (is_times(w, times, ETHERNET - HEAD6) ||
			       is_times(w, times, ETHERNET - HEAD6 - TIMESTAMPS));
}

static bool is_of_mtu(const struct greeting *g, uint32_t times)
{
	const uint32_t w = g->syn->window, mss = g->syn->mss;

	return mss >= MSS_LEAST &&
	       (is_times(w, times, mss + HEAD4) || is_times(w, times, ETHERNET) ||
		(g->ver == 6 && is_times(w, times, mss + HEAD6)));
}

static bool window_fits(const struct greeting *g, const struct sign *s)
{
	const uint32_t w = g->syn->window, n = (uint32_t)s->window, mss = g->syn->mss;

	switch ((enum sign_window)s->form) {
	case WINDOW_ANY:
		return true;
	case WINDOW_IS:
		return w == n;
	case WINDOW_MODULO:
		return w % n == 0;
	case WINDOW_MSS:
		return is_of_mss(g, n);
	case WINDOW_MTU:
		return is_of_mtu(g, n);
	case WINDOW_MOST:
		return mss >= MSS_LEAST && w == UINT16_MAX / mss * mss;
	}
	return false;
}

static bool parts_fit(const struct greeting *g, const struct sign *s)
{
	const struct event_syn *syn = g->syn;

	return (s->ver == 0 || s->ver == g->ver) && s->n_options == syn->n_options &&
	       memcmp(s->options, syn->options, s->n_options) == 0 &&
	       (s->ip_options != 0) == ((syn->quirks & SYN_IP_OPTIONS) != 0) &&
	       (s->mss == SIGN_ANY || s->mss == syn->mss) &&
	       (s->wscale == SIGN_ANY || s->wscale == g->wscale) &&
	       (s->data == SIGN_ANY || (s->data != 0) == ((syn->quirks & SYN_DATA) != 0)) &&
	       window_fits(g, s);
}

enum fit { FIT_NOT, FIT_NEARLY, FIT };

static enum fit quirks_fit(const struct greeting *g, const struct sign *s)
{
	uint32_t want = s->quirks, have = g->quirks;

	/* Of both versions: without what only the other one knows. Nor do flow labels count: Linux has set
	 * them since 4.2, which p0f's signatures don't know. */
	if (s->ver == 0) {
		want &= ~(uint32_t)SYN_FLOW;
		have &= ~(uint32_t)SYN_FLOW;
	}
	if (s->ver == 0 && g->ver == 6)
		want &= ~(uint32_t)(SIGN_DF | SIGN_ID_MORE | SIGN_ID_NONE);
	if (want == have)
		return FIT;
	uint32_t gone = want & ~have, more = have & ~want;

	if (gone & ~(uint32_t)(SIGN_DF | SIGN_ID_MORE) ||
	    more & ~(uint32_t)(SIGN_ID_NONE | SYN_ECN))
		return FIT_NOT;
	return FIT_NEARLY;
}

static bool is_near(const struct sign *s, uint8_t ttl)
{
	return s->ttl >= ttl && s->ttl - ttl <= HOPS_MOST;
}

static enum fit fits(const struct greeting *g, const struct sign *s)
{
	uint8_t ttl = g->syn->ttl;

	if (!parts_fit(g, s) || (s->ttl_any && s->ttl < ttl))
		return FIT_NOT;
	enum fit fit = quirks_fit(g, s);

	return fit == FIT && !s->ttl_any && !is_near(s, ttl) ? FIT_NEARLY : fit;
}

static uint8_t guess_hops(uint8_t ttl)
{
	static const uint8_t begins[] = {32, 64, 128, 255};

	for (unsigned i = 0; i < ARRAY_LEN(begins); i++)
		if (ttl <= begins[i])
			return (uint8_t)(begins[i] - ttl);
	return FACTS_HOPS_UNKNOWN;
}

static const struct sign *find(const struct signs *s, const struct greeting *g, bool *ret_nearly)
{
	const struct sign *generic = NULL, *nearly = NULL;

	*ret_nearly = false;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct sign *one = &s->signs[i];
		const struct sign_label *l = &s->labels[one->label];
		enum fit fit = fits(g, one);

		if (fit == FIT && !l->generic)
			return one;
		if (fit == FIT && generic == NULL)
			generic = one;
		if (fit == FIT_NEARLY && nearly == NULL && !l->tool)
			nearly = one;
	}
	*ret_nearly = generic == NULL;
	return generic != NULL ? generic : nearly;
}

void signs_match(const struct signs *s, uint8_t ver, const struct event_syn *syn,
		 struct facts_of *ret)
{
	const struct greeting g = greeting_of(ver, syn);
	bool nearly;

	ret->os_ns = s->made_ns != 0 ? s->made_ns : s->own_ns;
	if (syn->ttl == 0 || syn->quirks & SYN_MANY)
		return;
	const struct sign *sign = find(s, &g, &nearly);

	ret->hops = guess_hops(syn->ttl);
	if (sign == NULL)
		return;
	struct writer w = writer_of(ret->os, sizeof(ret->os));

	write_fmt(&w, "%s%s", nearly ? "perhaps " : "", s->labels[sign->label].text);
	ret->os_ns = sign->own ? s->own_ns : s->made_ns;
	if (sign->ttl_any)
		ret->hops = FACTS_HOPS_UNKNOWN;
	else if (is_near(sign, syn->ttl))
		ret->hops = (uint8_t)(sign->ttl - syn->ttl);
}
