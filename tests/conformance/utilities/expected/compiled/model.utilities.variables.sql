select 'localhost:9092' as broker, 'd.events' as topic, 'public-utilities' as said, '1 {{ not_rendered }}' as plain,
    '{{ stays }}' as nothing