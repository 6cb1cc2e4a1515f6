DELETE FROM baskets; ALTER TABLE baskets DROP COLUMN owner;
