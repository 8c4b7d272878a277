/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "stream/stream_priv.h"

static const char *const names[EV_COUNT] = {
	[EV_3WHS_ACK_IN_WRONG_DIR] = "3whs_ack_in_wrong_dir",
	[EV_3WHS_ASYNC_WRONG_SEQ] = "3whs_async_wrong_seq",
	[EV_3WHS_RIGHT_SEQ_WRONG_ACK_EVASION] = "3whs_right_seq_wrong_ack_evasion",
	[EV_3WHS_SYNACK_IN_WRONG_DIRECTION] = "3whs_synack_in_wrong_direction",
	[EV_3WHS_SYNACK_RESEND_WITH_DIFFERENT_ACK] = "3whs_synack_resend_with_different_ack",
	[EV_3WHS_SYNACK_RESEND_WITH_DIFF_SEQ] = "3whs_synack_resend_with_diff_seq",
	[EV_3WHS_SYNACK_TOSERVER_ON_SYN_RECV] = "3whs_synack_toserver_on_syn_recv",
	[EV_3WHS_SYNACK_WITH_WRONG_ACK] = "3whs_synack_with_wrong_ack",
	[EV_3WHS_SYNACK_FLOOD] = "3whs_synack_flood",
	[EV_3WHS_SYN_FLOOD] = "3whs_syn_flood",
	[EV_3WHS_SYNACK_TFO_DATA_IGNORED] = "3whs_synack_tfo_data_ignored",
	[EV_3WHS_SYN_RESEND_DIFF_SEQ_ON_SYN_RECV] = "3whs_syn_resend_diff_seq_on_syn_recv",
	[EV_3WHS_SYN_TOCLIENT_ON_SYN_RECV] = "3whs_syn_toclient_on_syn_recv",
	[EV_3WHS_WRONG_SEQ_WRONG_ACK] = "3whs_wrong_seq_wrong_ack",
	[EV_3WHS_ACK_DATA_INJECT] = "3whs_ack_data_inject",
	[EV_4WHS_SYNACK_WITH_WRONG_ACK] = "4whs_synack_with_wrong_ack",
	[EV_4WHS_SYNACK_WITH_WRONG_SYN] = "4whs_synack_with_wrong_syn",
	[EV_4WHS_WRONG_SEQ] = "4whs_wrong_seq",
	[EV_4WHS_INVALID_ACK] = "4whs_invalid_ack",
	[EV_CLOSEWAIT_ACK_OUT_OF_WINDOW] = "closewait_ack_out_of_window",
	[EV_CLOSEWAIT_FIN_OUT_OF_WINDOW] = "closewait_fin_out_of_window",
	[EV_CLOSEWAIT_PKT_BEFORE_LAST_ACK] = "closewait_pkt_before_last_ack",
	[EV_CLOSEWAIT_INVALID_ACK] = "closewait_invalid_ack",
	[EV_CLOSING_ACK_WRONG_SEQ] = "closing_ack_wrong_seq",
	[EV_CLOSING_INVALID_ACK] = "closing_invalid_ack",
	[EV_EST_PACKET_OUT_OF_WINDOW] = "est_packet_out_of_window",
	[EV_EST_PKT_BEFORE_LAST_ACK] = "est_pkt_before_last_ack",
	[EV_EST_SYNACK_RESEND] = "est_synack_resend",
	[EV_EST_SYNACK_RESEND_WITH_DIFFERENT_ACK] = "est_synack_resend_with_different_ack",
	[EV_EST_SYNACK_RESEND_WITH_DIFF_SEQ] = "est_synack_resend_with_diff_seq",
	[EV_EST_SYNACK_TOSERVER] = "est_synack_toserver",
	[EV_EST_SYN_RESEND] = "est_syn_resend",
	[EV_EST_SYN_RESEND_DIFF_SEQ] = "est_syn_resend_diff_seq",
	[EV_EST_SYN_TOCLIENT] = "est_syn_toclient",
	[EV_EST_INVALID_ACK] = "est_invalid_ack",
	[EV_FIN_INVALID_ACK] = "fin_invalid_ack",
	[EV_FIN1_ACK_WRONG_SEQ] = "fin1_ack_wrong_seq",
	[EV_FIN1_FIN_WRONG_SEQ] = "fin1_fin_wrong_seq",
	[EV_FIN1_INVALID_ACK] = "fin1_invalid_ack",
	[EV_FIN2_ACK_WRONG_SEQ] = "fin2_ack_wrong_seq",
	[EV_FIN2_FIN_WRONG_SEQ] = "fin2_fin_wrong_seq",
	[EV_FIN2_INVALID_ACK] = "fin2_invalid_ack",
	[EV_FIN_BUT_NO_SESSION] = "fin_but_no_session",
	[EV_FIN_OUT_OF_WINDOW] = "fin_out_of_window",
	[EV_FIN_SYN] = "fin_syn",
	[EV_LASTACK_ACK_WRONG_SEQ] = "lastack_ack_wrong_seq",
	[EV_LASTACK_INVALID_ACK] = "lastack_invalid_ack",
	[EV_RST_BUT_NO_SESSION] = "rst_but_no_session",
	[EV_TIMEWAIT_ACK_WRONG_SEQ] = "timewait_ack_wrong_seq",
	[EV_TIMEWAIT_INVALID_ACK] = "timewait_invalid_ack",
	[EV_SHUTDOWN_SYN_RESEND] = "shutdown_syn_resend",
	[EV_PKT_INVALID_TIMESTAMP] = "pkt_invalid_timestamp",
	[EV_PKT_INVALID_ACK] = "pkt_invalid_ack",
	[EV_PKT_BROKEN_ACK] = "pkt_broken_ack",
	[EV_RST_INVALID_ACK] = "rst_invalid_ack",
	[EV_RST_WITH_DATA] = "rst_with_data",
	[EV_PKT_RETRANSMISSION] = "pkt_retransmission",
	[EV_PKT_SPURIOUS_RETRANSMISSION] = "pkt_spurious_retransmission",
	[EV_PKT_BAD_WINDOW_UPDATE] = "pkt_bad_window_update",
	[EV_SUSPECTED_RST_INJECT] = "suspected_rst_inject",
	[EV_WRONG_THREAD] = "wrong_thread",
	[EV_REASSEMBLY_SEGMENT_BEFORE_BASE_SEQ] = "reassembly_segment_before_base_seq",
	[EV_REASSEMBLY_NO_SEGMENT] = "reassembly_no_segment",
	[EV_REASSEMBLY_SEQ_GAP] = "reassembly_seq_gap",
	[EV_REASSEMBLY_OVERLAP_DIFFERENT_DATA] = "reassembly_overlap_different_data",
	[EV_REASSEMBLY_URGENT_OOB_LIMIT_REACHED] = "reassembly_urgent_oob_limit_reached",
	[EV_REASSEMBLY_DEPTH_REACHED] = "reassembly_depth_reached",
	[EV_REASSEMBLY_INSERT_MEMCAP] = "reassembly_insert_memcap",
	[EV_REASSEMBLY_INSERT_LIMIT] = "reassembly_insert_limit",
	[EV_REASSEMBLY_INSERT_INVALID] = "reassembly_insert_invalid",
};
_Static_assert(EV_COUNT <= STREAM_EVENT_WORDS * 64, "every event has its bit");

int stream_event_by_name(const char *name)
{
	for (int i = 0; i < EV_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *stream_event_name(unsigned event)
{
	return event < EV_COUNT ? names[event] : NULL;
}
