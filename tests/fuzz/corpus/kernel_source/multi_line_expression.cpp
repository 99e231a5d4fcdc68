/*evoke
problem = "attention"
[[variant]]
name = "v"
when = """
Lq == 1
	&& Lk > 2"""
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["B", "Hq"]
evoke*/
KERNEL(k) {}
