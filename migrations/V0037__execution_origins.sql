-- From where the request came that made an execution, for the events that tell of it.

ALTER TABLE executions ADD COLUMN origin text;
