CREATE TABLE baskets (id int PRIMARY KEY);
