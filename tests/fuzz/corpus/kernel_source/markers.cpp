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
// EVOLVE-BLOCK-START
int a;
/* EVOLVE-BLOCK-END */
int b;
# EVOLVE-BLOCK-START
# EVOLVE-BLOCK-END
