/*evoke
problem = "attention"
[[variant]]
name = "v"
when = "!(Lk - 4096)"
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
