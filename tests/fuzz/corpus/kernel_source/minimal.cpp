/*evoke
problem = "attention"
[[variant]]
name = "v"
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
