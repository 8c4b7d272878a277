# SPDX-License-Identifier: BSD-2-Clause
"""Ways to have a command run in a guest: what an intruder types, and how. Each is (how, text), where {T} is a
token of that form alone. how:

    cmd    ssh guest 'text'
    stdin  text into `ssh guest` without a terminal
    type   text typed to a shell at a terminal
    copy   a file whose name holds the token, by scp or sftp
    later  like cmd, but it runs when the system gets to it (cron, at)

/tmp/busybox is a static busybox that was copied in; /tmp/own a copy of bash; /tmp/mem runs a program from memory."""

PLAIN = [
    "echo {T}", "true {T}", "/bin/echo {T}", "/usr/bin/id {T}", "(echo {T})", "{{ echo {T}; }}", "! true {T}",
    "echo {T} | cat", "echo {T} > /dev/null", "echo {T} >&2", "echo {T} & wait", "true && echo {T}",
    "false || echo {T}", "echo $(echo {T})", "echo `echo {T}`", "if true; then echo {T}; fi",
    "for i in {T}; do echo $i; done", "for ((i=0; i<1; i++)); do echo {T}; done",
    "while read x; do echo $x; done <<< {T}", "until true {T}; do :; done", "case {T} in *) id;; esac",
    "[[ {T} ]] && id", "test {T}", "[ -n {T} ]", "f() {{ echo {T}; }}; f", "function g {{ echo {T}; }}; g",
    "eval 'echo {T}'", "eval eval echo {T}", "command echo {T}", "builtin echo {T}", "time echo {T}",
    "coproc echo {T}; wait", "trap 'echo {T}' EXIT", "a=echo; $a {T}", "a=(echo {T}); ${{a[@]}}", "{{echo,{T}}}",
    "/bin/ech? {T}", "\\echo {T}", "'echo' {T}", "e''cho {T}", "$'\\x65cho' {T}", "ec\\\nho {T}",
    "printf '%s\\n' {T}", "printf -v x {T}; id", "read x <<< {T}; id", "mapfile x <<< {T}; id",
    "let x=1; : {T}", ": {T}", "hash -p /bin/echo foo; foo {T}", "enable -n echo; echo {T}",
    "shopt -s expand_aliases\nalias z='echo {T}'\nz", "cat << E\n{T}\nE", "cat <<- E | tr a b\n\t{T}\nE",
    "echo {T}\nid\n", "id;echo {T};id", "   echo {T}", "echo {T} # a remark", "cd /tmp && echo {T}",
    "X={T} env | grep -c {T}", "echo {T} |& cat", "exec echo {T}", "exec -a kworker/0:1 id {T}",
    "set -- {T}; echo $1", "set -x; echo {T}", "set -v; echo {T}", "set +o history; echo {T}",
    "unset HISTFILE; echo {T}", "export HISTFILE=/dev/null HISTSIZE=0; echo {T}", "history -s echo {T}; id",
    "export PS4=; echo {T}", "LC_ALL=C echo {T}", "echo {T}; exit 3", "kill -0 $$; echo {T}",
    "echo \u00fc\u20ac {T}", "echo $'\\033[2J' {T}", "echo {T} " + "x" * 5000,
]
SHELLS = [
    "bash -c 'echo {T}'", "sh -c 'echo {T}'", "dash -c 'echo {T}'", "rbash -c 'echo {T}'",
    "bash -lc 'echo {T}'", "bash -ic 'echo {T}'", "bash --norc --noprofile -c 'echo {T}'",
    "bash --posix -c 'echo {T}'", "bash -r -c 'echo {T}'", "bash -ec 'echo {T}'", "bash -O extglob -c 'echo {T}'",
    "bash +o history -c 'echo {T}'", "bash -c 'bash -c \"echo {T}\"'", "sh -c \"sh -c 'sh -c \\\"echo {T}\\\"'\"",
    "bash -c 'echo $0' {T}", "bash -c '$0 {T}' echo", "exec bash -c 'echo {T}'",
    "exec -a kworker bash -c 'echo {T}'", "exec -a '' sh -c 'echo {T}'", "env -i bash -c 'echo {T}'",
    "env -i sh -c 'echo {T}'", "env - PATH=/bin sh -c 'echo {T}'", "BASH_ENV=/dev/null bash -c 'echo {T}'",
    "HISTFILE= bash -c 'echo {T}'", "POSIXLY_CORRECT=1 bash -c 'echo {T}'", "SHELLOPTS=noglob bash -c 'echo {T}'",
    "nohup sh -c 'echo {T}'", "setsid sh -c 'echo {T}'", "setsid -w bash -c 'echo {T}'", "nice sh -c 'echo {T}'",
    "timeout 20 sh -c 'echo {T}'", "ionice sh -c 'echo {T}'", "echo 'echo {T}' | sh", "echo 'echo {T}' | bash",
    "echo 'echo {T}' | dash", "echo 'echo {T}' | bash -s", "echo 'echo {T}' | env -i bash",
    "echo 'echo {T}' | rev | rev | sh", "echo {T} | sed s/^/echo\\ / | sh", "bash <<< 'echo {T}'",
    "sh << E\necho {T}\nE", "bash <(echo 'echo {T}')", "bash /dev/stdin <<< 'echo {T}'", ". <(echo 'echo {T}')",
    "source /dev/stdin <<< 'echo {T}'", "echo 'echo {T}' > /tmp/s1; sh /tmp/s1",
    "echo 'echo {T}' > /tmp/s2; bash /tmp/s2", "echo 'echo {T}' > /tmp/s3; . /tmp/s3",
    "echo 'echo {T}' > /tmp/s4; chmod +x /tmp/s4; /tmp/s4",
    "printf '#!/bin/sh\\necho {T}\\n' > /tmp/s5; chmod +x /tmp/s5; /tmp/s5",
    "printf '#!/bin/dash -e\\necho {T}\\n' > /tmp/s6; chmod +x /tmp/s6; /tmp/s6",
    "printf '#!/usr/bin/env bash\\necho {T}\\n' > /tmp/s7; chmod +x /tmp/s7; /tmp/s7",
    "mkfifo /tmp/q{T}; (echo 'echo {T}' > /tmp/q{T} &); sh < /tmp/q{T}",
    "bash -c 'cat | sh' <<< 'echo {T}'", "script -qc 'echo {T}' /dev/null", "script -q -c 'sh -c \"echo {T}\"' /dev/null",
    "/lib64/ld-linux-x86-64.so.2 /bin/bash -c 'echo {T}'", "chroot / sh -c 'echo {T}'", "unshare sh -c 'echo {T}'",
    "unshare -m bash -c 'echo {T}'", "nsenter -t 1 -m sh -c 'echo {T}'", "setpriv --reuid 65534 sh -c 'echo {T}'",
    "su -c 'echo {T}'", "su - -c 'echo {T}'", "runuser -u nobody -- id {T}", "su -s /bin/sh nobody -c 'echo {T}'",
    "sudo echo {T}", "sudo sh -c 'echo {T}'", "sudo -s echo {T}", "sudo -i echo {T}", "sudo -u nobody id {T}",
    "flock /tmp/lock sh -c 'echo {T}'", "start-stop-daemon -S -x /bin/echo -- {T}",
    "systemd-run -q --wait -P sh -c 'echo {T}'", "systemd-cat echo {T}",
]
PROGRAMS = [
    "python3 -c 'import os; os.system(\"echo {T}\")'", "python3 -c 'import os; os.popen(\"echo {T}\").read()'",
    "python3 -c 'import os; os.execlp(\"echo\", \"echo\", \"{T}\")'",
    "python3 -c 'import os; os.execl(\"/bin/sh\", \"sh\", \"-c\", \"echo {T}\")'",
    "python3 -c 'import os; os.spawnlp(0, \"echo\", \"echo\", \"{T}\")'", "python3 -c 'print(\"{T}\")'",
    "perl -e 'system(\"echo {T}\")'", "perl -e 'print `echo {T}`'", "perl -e 'exec \"echo\", \"{T}\"'",
    "perl -e 'open(P, \"|sh\"); print P \"echo {T}\"'", "awk 'BEGIN {{ system(\"echo {T}\") }}'",
    "awk 'BEGIN {{ print \"echo {T}\" | \"sh\" }}'", "awk 'BEGIN {{ \"echo {T}\" | getline x; print x }}'",
    "echo {T} | xargs echo", "echo {T} | xargs -I% sh -c 'echo %'", "find /etc/hostname -exec echo {T} \\;",
    "find /etc/hostname -exec sh -c 'echo {T}' \\;", "sed '1e echo {T}' /etc/hostname",
    "tar cf /dev/null /etc/hostname --checkpoint=1 --checkpoint-action=exec='echo {T}'",
    "vim.tiny -es -c ':!echo {T}' -c q", "ex -s -c '!echo {T}' -c q /dev/null", "run-parts --test /tmp; echo {T}",
    "ssh -o ProxyCommand='sh -c \"echo {T}\"' x", "split --filter='cat; echo {T}' /etc/hostname",
    "watch -tn1 -g 'echo {T}; date +%N' > /dev/null", "logger {T}", "wget -q -T1 -t1 http://127.0.0.1/{T}",
    "curl -s -m2 http://127.0.0.1/{T}", "dd if=/dev/null of=/tmp/{T}", "touch /tmp/{T}", "mkdir /tmp/d{T}",
    "/tmp/busybox echo {T}", "/tmp/busybox sh -c 'echo {T}'", "/tmp/busybox ash -c '/tmp/busybox echo {T}'", "echo 'echo {T}' | /tmp/busybox sh",
    "/tmp/busybox env echo {T}", "/tmp/own -c 'echo {T}'", "ln -sf /tmp/own /tmp/kswapd; /tmp/kswapd -c 'echo {T}'",
    "exec -a '[kthreadd]' /tmp/own -c 'echo {T}'", "/tmp/mem /bin/echo {T}", "/tmp/mem /tmp/busybox sh -c 'echo {T}'",
    "echo {T} > /dev/tcp/127.0.0.1/22", "echo ZWNobyA= | base64 -d > /tmp/b; echo {T} >> /tmp/b; sh /tmp/b",
    "printf {X} | perl -pe 's/(..)/chr hex $1/ge' | sh",
]
LATER = ["echo 'echo {T}' | at now", "echo 'echo {T}' | batch",
         "echo '* * * * * root echo {T}' > /etc/cron.d/heard"]
STDIN = ["echo {T}\n", "cat\n{T}\n", "exec sh\necho {T}\n", "exec /tmp/busybox sh\necho {T}\n", "id\n\necho {T}"]
TYPED = [
    "echo {T}", "true {T}", " echo {T}", "echo {T}; !!", "history -c; echo {T}", "set +o history; echo {T}",
    "set -o history; echo {T}", "PROMPT_COMMAND='true {T}'", "PROMPT_COMMAND=; echo {T}", "fc -s echo={T}",
    "bash -c 'echo {T}'", "bash --norc -i -c 'echo {T}'", "/tmp/busybox sh -c 'echo {T}'", "vim.tiny /dev/null\n:!echo {T}\n\n:q",
    "more /etc/services\n!echo {T}\nq", "ftp\n!echo {T}\nbye", "python3 -q\nimport os; os.system('echo {T}')\nexit()",
    "sh\necho {T}\nexit", "dash\necho {T}\nexit", "bash --posix\necho {T}\nexit", "/tmp/busybox sh\necho {T}\nexit",
    "/tmp/own\necho {T}\nexit", "su\necho {T}\nexit", "sudo -s\necho {T}\nexit", "script -q /dev/null\necho {T}\nexit",
    "read x\n{T}", "cat > /tmp/typed\n{T}\n\x04", "unset HISTFILE HISTSIZE; echo {T}",
]
COPY = ["scp /etc/hostname guest:/tmp/{T}", "sftp put /etc/hostname /tmp/{T}"]


def all_forms():
    """[(how, text with its token, token)...], the same each time."""
    out = []
    for how, texts in (("cmd", PLAIN), ("cmd", SHELLS), ("cmd", PROGRAMS), ("stdin", STDIN), ("type", TYPED),
                       ("copy", COPY), ("later", LATER)):
        for text in texts:
            # Never twice, never in another, and no word that anything says by itself.
            token = "tk%03dq" % len(out)
            script = ("echo " + token).encode().hex()
            out.append((how, text.format(T=token, X=script), token))
    return out
