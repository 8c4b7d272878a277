/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signatures that we bring along, in the language of p0f.fp: what is younger than that file, and the tools
 * that a honeynet sees most. `mss*max` is ours: the largest multiple of the MSS that 16 bits hold.
 */
#include "facts/facts_priv.h"

#define MADE_S INT64_C(1795824000) /* 28 Nov 2026: when these were last looked at */

const char *signs_own(int64_t *ret_made_ns)
{
	*ret_made_ns = MADE_S * NS_PER_SEC;
	return "[tcp:request]\n"
	       /* From 4.20 on the first window is that large, whatever the link. */
	       "label = s:unix:Linux:4.20 and newer\n"
	       "sig = *:64:0:*:mss*max,5:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,6:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,7:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,8:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,9:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,10:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,11:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,12:mss,sok,ts,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,7:mss,nop,nop,sok,nop,ws:df,id+:0\n"
	       "sig = *:64:0:*:mss*max,10:mss,nop,nop,sok,nop,ws:df,id+:0\n"
	       "label = s:win:Windows:10 and newer\n"
	       "sig = *:128:0:*:mss*max,8:mss,nop,ws,nop,nop,sok:df,id+:0\n"
	       "sig = *:128:0:*:64240,8:mss,nop,ws,nop,nop,sok:df,id+:0\n"
	       "sig = *:128:0:*:65535,8:mss,nop,ws,nop,nop,sok:df,id+:0\n"
	       "label = s:unix:macOS or iOS:10.12 and newer\n"
	       "sig = *:64:0:*:65535,5:mss,nop,ws,nop,nop,ts,sok,eol+1:df:0\n"
	       "sig = *:64:0:*:65535,6:mss,nop,ws,nop,nop,ts,sok,eol+1:df:0\n"
	       "sig = *:64:0:*:65535,5:mss,nop,ws,nop,nop,ts,sok,eol+1:df,ecn:0\n"
	       "sig = *:64:0:*:65535,6:mss,nop,ws,nop,nop,ts,sok,eol+1:df,ecn:0\n"
	       "label = s:unix:FreeBSD:12 and newer\n"
	       "sig = *:64:0:*:65535,6:mss,nop,ws,sok,ts:df:0\n"
	       "label = s:!:masscan:\n"
	       "sig = 4:255:0:0:1024,0:::0\n"
	       "sig = 4:255:0:1460:1024,0:mss::0\n"
	       "label = s:!:zmap:\n"
	       "sig = 4:255:0:0:65535,0:::0\n"
	       "sig = 4:255:0:1460:65535,0:mss::0\n"
	       "sig = 6:255:0:0:65535,0:::0\n"
	       "label = s:!:hping:\n"
	       "sig = 4:64:0:0:512,0:::0\n"
	       /* No system greets without any option: worms and quick scanners do. */
	       "label = g:!:scanner or worm:(no options)\n"
	       "sig = *:255-:0:0:*,0:::0\n";
}
