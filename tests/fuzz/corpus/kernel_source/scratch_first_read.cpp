/*evoke
problem = "attention"
[scratch]
s = { type = "float32", shape = [4] }
[[variant]]
name = "v"
[[variant.launch]]
kernel = "k"
reads = ["s", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
