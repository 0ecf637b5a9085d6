
  
  insert into audit select '0' || '0' || ''
  
