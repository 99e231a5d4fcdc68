/*evoke
problem = "attention"
summary = "a \u002a/ b evoke\u002a/"
[[variant]]
name = "v"
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
