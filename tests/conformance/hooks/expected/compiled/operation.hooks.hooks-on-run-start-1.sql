
  
  create table if not exists audit (at timestamp);
  insert into audit values (now());
