select round(amount / 100.0, 2), round(a / 100.0, 0)
-- [0, 2, 4] 2 0;2 720
-- 
  before
  
  after
 | early x
-- a=1 b=b varargs=() kwargs={} | a=1 b=2 varargs=(3, 'four') kwargs={'five': 5} | a=x b=b varargs=() kwargs={'z': None}
-- <p>text m_calls</p>
-- [1:x][2:y]
-- round(x / 100.0, 2)|[0, 2]|round(y / 100.0, 3)|<b>inner 24</b>
-- risingwave n pg
-- {'total': 6, 'items': ['i0', 'i1', 'i2', 'i3'], 'nested': {'k': [1, 2]}} ['i0', 'i1', 'i2', 'i3'] 2