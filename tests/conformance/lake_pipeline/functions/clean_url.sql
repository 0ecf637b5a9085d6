regexp_replace(url, '\?.*', '')
