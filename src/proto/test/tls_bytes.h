/* SPDX-License-Identifier: BSD-2-Clause */
/* A handshake of two OpenSSL peers over TLS 1.2, and the beginning of one over 1.3, made for these
 * tests; the certificate is our own. */
#ifndef SKEP_PROTO_TLS_BYTES_H
#define SKEP_PROTO_TLS_BYTES_H

#include <stdint.h>

extern const uint8_t client_hello[183];
extern const uint8_t server_flight[1064];
extern const uint8_t client_flight[93];
extern const uint8_t server_finish[242];
extern const uint8_t hello13[517];
extern const uint8_t answer13[600];

#endif
