-- What is told when an execution ends: an item of this duty, about this subject, is added in the batch that has the end.

ALTER TABLE executions ADD COLUMN sequel_duty text;
ALTER TABLE executions ADD COLUMN sequel_subject uuid;
