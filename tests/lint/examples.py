# SPDX-License-Identifier: BSD-2-Clause
"""For each rule: a tree that it must refuse, and one that it must let pass. (path -> text)"""
import rules

S = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
LONG = "int f(void)\n{\n" + "\tg();\n" * 90 + "}\n"
README = "# m\n\n" + "A line that says something.\n" * 6

EXAMPLES = {
    "tiers": {
        "bad": [{"src/packet/a.c": '#include "flow/flow.h"\n'},
                {"src/flow/a.c": '#include "port/port.h"\n'},
                {"src/role/a.c": '#include "cmd/cmd.h"\n'},
                {"src/judge/a.c": '#include "sys/sys.h"\n'},
                {"src/base/test/a.c": '#include "conf/conf.h"\n'},
                {"src/role/a.c": '#include "flow/flow_priv.h"\n'},
                {"src/new/a.c": "int a;\n"},
                {"src/conf/a.c": '#include "conf.h"\n'}],
        "good": [{"src/flow/a.c": '#include "packet/packet.h"\n#include "flow/flow_priv.h"\n'},
                 {"src/flow/test/a.c": '#include "port/port.h"\n'},
                 {"src/cmd/a.c": '#include "role/role.h"\n#include <stdio.h>\n'}]},
    "header_alone": {
        "bad": [{"src/base/base.h": "uint8_t f(void);\n"}],
        "good": [{"src/base/base.h": "#include <stdint.h>\nuint8_t f(void);\n"}]},
    "header_docs": {
        "bad": [{"src/base/base.h": "/* ---- things ---- */\n\nint f(int a);\n"},
                {"src/base/base.h": "/* Says. */\nint f(int a);\n\nint g(int a);\n"}],
        "good": [{"src/base/base.h": "/* Says. */\nint f(int a);\nint g(int a,\n      int b);\n"},
                 {"src/base/base.h": "/* x */\nstruct a {\n\tint b;\n};\n"},
                 {"src/base/base_priv.h": "int f(void);\n"}]},
    "merged": {"bad": [{"Makefile": "all:\n" + "<" * 7 + " HEAD\n"},
                       {"docs/a.md": ">" * 7 + " main\n"}],
               "good": [{"Makefile": "all:\n\tcat <<E\n"}]},
    "function_sizes": {"bad": [{"src/base/a.c": LONG}],
                       "good": [{"src/base/a.c": LONG.replace("\tg();\n" * 20, "")}]},
    "file_sizes": {
        "bad": [{"src/base/a.c": "int a;\n" * 801}, {"src/base/base.h": "int a;\n" * 151},
                {f"src/base/a{i}.c": "\n" for i in range(21)}],
        "good": [{"src/base/a.c": "int a;\n" * 800},
                 {"src/base/base.h": "int a;\n" * 150 + "/* more */\n" * 100}]},
    "banned_calls": {
        "bad": [{"src/base/a.c": f"int a = {w}(b);\n"} for w in
                ("strcpy", "sprintf", "system", "popen", "atoi", "signal", "alloca", "mktemp", "strtok")],
        "good": [{"src/base/a.c": '/* strcpy(a, b) */ int a = x_system(b, "system(c)");\n'},
                 {"src/base/a.c": "int a = snprintf(b); p->system(c); filesystem(d);\n"},
                 {"src/base/a.c": "signal(SIGPIPE, SIG_IGN);\n"},
                 {"src/base/test/a.c": "system(b);\n"}]},
    "no_goto": {"bad": [{"src/base/a.c": "\tgoto out;\n"}],
                "good": [{"src/base/a.c": "/* goto out; */ int goto_out;\n"}]},
    "no_struct_typedef": {"bad": [{"src/base/base.h": "typedef struct a a_t;\n"}],
                          "good": [{"src/base/base.h": "struct typedef_a { int b; };\n"}]},
    "one_of_each": {"bad": [{"src/base/a.c": "struct my_hash_table {\n"},
                            {"src/base/a.c": "#include <sys/queue.h>\n"}],
                    "good": [{"src/base/a.c": "struct flow_table {\n"}]},
    "spdx": {"bad": [{"src/base/a.c": "int a;\n"}], "good": [{"src/base/a.c": S + "int a;\n"}]},
    "whitespace": {"bad": [{"src/base/a.c": "int a; \n"}, {"src/base/a.c": "int a;"}],
                   "good": [{"src/base/a.c": "int a;\n"}]},
    "folder_readmes": {"bad": [{"src/base/a.c": ""}, {"src/base/README.md": "# base\n"},
                               {"src/base/README.md": README + "more\n" * 60}],
                       "good": [{"src/base/README.md": README}]},
    "docs_not_empty": {"bad": [{"docs/A.md": "# A\n"},
                               {"docs/A.md": README + "## empty\n\n## full\n\ntext\n"}],
                       "good": [{"docs/A.md": README + "## full\n\n```\n# no heading\n```\n"}]},
    "no_private_names": {"bad": [{"docs/A.md": rules.PRIVATE[0] + "x\n"},
                                 {"images/a": rules.HOSTS[0] + "\n"}],
                         "good": [{"images/a": rules.PRIVATE[1] + "anna\n"}, {"docs/A.md": "/srv\n"}]},
    "clang_format": {"bad": [{"src/base/a.c": "int  a ;\n"}],
                     "good": [{"src/base/a.c": "int a;\n"}]},
    "every_source_is_built": {
        "bad": [{"src/base/a.c": "", "src/base/meson.build": "files('b.c')\n"},
                {"src/base/test/test_a.c": "", "src/base/meson.build": "files('a.c')\n"}],
        "good": [{"src/base/a.c": "", "src/base/test/test_a.c": "",
                  "src/base/meson.build": "files('a.c', 'test/test_a.c')\n"}]},
}
