/*evoke
problem = "attention"
summary = "variant for one length"
[[variant]]
name = "timed"
when = "Lk == 512"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
[[variant]]
name = "any"
[[variant.launch]]
kernel = "attend"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["Hq", "Lq", "B"]
evoke*/
// expect: rejected_plan
// entry: 24
// A variant for exactly the timed length.
KERNEL(attend) { output[0] = 0.0f; }
