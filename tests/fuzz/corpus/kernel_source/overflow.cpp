/*evoke
problem = "attention"
[[variant]]
name = "v"
[[variant.launch]]
kernel = "k"
reads = ["query", "key", "value"]
writes = ["output"]
threadgroups = ["9223372036854775807 * Hq", 9223372036854775807]
evoke*/
KERNEL(k) {}
