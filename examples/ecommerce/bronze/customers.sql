-- One row per registered customer, as delivered. Email may be missing; the flag says so.
select customer_id,
       email,
       first_name,
       last_name,
       city,
       state,
       registration_date,
       customer_segment,
       current_timestamp as ingested_at,
       case when email is null then 'missing_email' else 'ok' end as data_quality_flag
from read_csv('${lake}/${raw}/customers.csv', header = true, nullstr = '',
              columns = {customer_id: 'BIGINT', email: 'VARCHAR', first_name: 'VARCHAR', last_name: 'VARCHAR',
                         city: 'VARCHAR', state: 'VARCHAR', registration_date: 'DATE', customer_segment: 'VARCHAR'})
