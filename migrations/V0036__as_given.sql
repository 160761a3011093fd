-- What somebody notes with a deposit or withdrawal, and how a price feed's intervals and deviation were written.
ALTER TABLE gas_transactions ADD COLUMN notes text;
ALTER TABLE price_feeds ADD COLUMN written json;
