select {{ function('add_one') }}(2) as three, {{ function('greet') }}('a', 'b') as hello
