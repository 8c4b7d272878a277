#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_rows.py ROOT: every keyword of src/rule/kw/keywords.c that can match has a row in test_match.c or
test_match_kw.c, or stands below because only a whole conversation can show it: then it is in rules of
tests/golden/test_keywords_*.py."""
import glob
import os
import re
import sys

root = sys.argv[1]
HERE = os.path.join(root, "src/rule/test")
NO_MATCH = {"META", "REFUSED"}  # say something about the rule, or are refused
ELSEWHERE = set("""
app-layer-event dce_iface dce_opnum dce_stub_data dcerpc.iface dcerpc.opnum dcerpc.stub_data
dns.additionals.rrname dns.answer.name dns.answers.rrname dns.authorities.rrname dns.rcode
dns.response.rrname email.body_md5 email.cc email.date email.from email.message_id email.received
email.subject email.to email.url email.x_mailer file.ext file.name fileext filename
filesize filestore ftp.dynamic_port ftp.mode ftpdata.command ftpdata_command http_raw_request
http_raw_status http_version ja3.hash ja3.string ja3_hash ja3_string ja3s.hash ja3s.string
ja3s_hash ja3s_string ja4.hash ja4_hash js_data replace sip.response_line sip.stat_code
sip.stat_msg sip_body sip_stat_code smb.named_pipe smb.ntlmssp_domain smb.ntlmssp_user smb.share
smb.version ssh.hassh ssh.hassh.server ssh.hassh.server.string ssh.hassh.string ssl_state
ssl_version tls.alpn tls.cert_chain_len tls.cert_fingerprint tls.cert_issuer tls.cert_serial
tls.cert_subject tls.certs tls.fingerprint tls.issuerdn tls.random tls.random_bytes tls.random_time
tls.sni tls.store tls.subject tls.subjectaltname tls.version tls_cert_fingerprint tls_cert_issuer
tls_cert_notafter tls_cert_notbefore tls_cert_serial tls_cert_subject tls_sni
""".split())

table = {}
source = open(os.path.join(root, "src/rule/kw/keywords.c"), encoding="utf-8").read()
for name, family in re.findall(r'\{"([^"]+)", FAMILY_(\w+),', source):
    table[name] = family
rows = ""
for name in ("test_match.c", "test_match_kw.c"):
    rows += open(os.path.join(HERE, name), encoding="utf-8").read()
golden = ""
for path in glob.glob(os.path.join(root, "tests/golden/test_keywords_*.py")):
    golden += open(path, encoding="utf-8").read()
wrong, n = [], 0
for name in sorted(ELSEWHERE):
    if re.search(r"(?<![\w.])" + re.escape(name) + r"(?![\w.])", golden) is None:
        wrong.append(f"{name}: in no rule of tests/golden/test_keywords_*.py")
for name, family in sorted(table.items()):
    if family in NO_MATCH:
        continue
    n += 1
    has = re.search(r'(?<![\w.])' + re.escape(name) + r'(?=[:;"])', rows) is not None
    if has and name in ELSEWHERE:
        wrong.append(f"{name}: has a row; take it off the list in test_rows.py")
    if not has and name not in ELSEWHERE:
        wrong.append(f"{name}: no row in test_match.c or test_match_kw.c")
wrong += [f"{name}: no such keyword" for name in ELSEWHERE - set(table)]
print("\n".join(wrong) or f"{n} keywords that match, {len(ELSEWHERE)} of them shown elsewhere")
sys.exit(1 if wrong else 0)
