/*evoke
problem = 'attention'
variant = [ { name = "v", launch = [ { threadgroups = ["  Lq "], writes = ["output"], kernel = "k" } ] } ]
parameters = { tile = 8, wide = { choices = [ 1, 2 ], value = 0x2 } }
evoke*/ KERNEL(k) {}
