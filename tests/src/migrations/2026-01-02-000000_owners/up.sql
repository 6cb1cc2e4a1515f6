ALTER TABLE baskets ADD COLUMN owner text; INSERT INTO baskets VALUES (1, 'Ada');
