select '{{ var("broker") }}' as broker, '{{ var("topic") }}' as topic, '{{ var("said") }}' as said, '{{ var("plain") | join(" ") }}' as plain,
    '{{ var("nothing", "{{ stays }}") }}' as nothing
