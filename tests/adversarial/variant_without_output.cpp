/*evoke
problem = "attention"
summary = "no output"
[scratch]
mark = { type = "int32", shape = ["16"] }
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query"]
writes = ["mark"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: rejected_plan
// entry: 16
// A variant that writes no output.
KERNEL(attend) { mark[0] = 0; }
