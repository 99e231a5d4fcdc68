/*evoke
problem = "
evoke*/
