/*evoke
problem = "p"
