a

  b

cd e fg  h
{{ not rendered }} 
1
	 tab 
item 1
item 2
end {{ %} trimmed
-- -- not a comment


trailing