-- A small web shop, filled by set-based T-SQL: $(Rows) customers, ten times as many orders, twice that many order lines.
-- $(Company) and $(Number) (as sqlcmd writes variables) make each tenant's rows its own. Nothing here is random, so
-- that two shops made alike are alike to the byte.

CREATE TABLE dbo.company (
    id INT NOT NULL PRIMARY KEY,
    name NVARCHAR(200) NOT NULL
);
CREATE TABLE dbo.customers (
    id INT NOT NULL PRIMARY KEY,
    name NVARCHAR(100) NOT NULL,
    email NVARCHAR(200) NOT NULL,
    credit DECIMAL(10, 2) NOT NULL
);
CREATE TABLE dbo.products (
    id INT NOT NULL PRIMARY KEY,
    title NVARCHAR(100) NOT NULL,
    price DECIMAL(10, 2) NOT NULL
);
CREATE TABLE dbo.orders (
    id INT NOT NULL PRIMARY KEY,
    customer_id INT NOT NULL REFERENCES dbo.customers (id),
    note NVARCHAR(200) NULL
);
CREATE TABLE dbo.order_lines (
    order_id INT NOT NULL REFERENCES dbo.orders (id),
    line INT NOT NULL,
    product_id INT NOT NULL REFERENCES dbo.products (id),
    quantity INT NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE dbo.digits (n INT NOT NULL PRIMARY KEY);
GO

INSERT INTO dbo.company (id, name) VALUES ($(Number), N'$(Company)');
INSERT INTO dbo.digits (n) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
GO

INSERT INTO dbo.customers (id, name, email, credit)
SELECT
    numbers.n,
    N'Žofie Müller ' + CAST(numbers.n AS NVARCHAR(10)),
    N'customer' + CAST(numbers.n AS NVARCHAR(10)) + N'@example.org',
    (numbers.n * 37 + $(Number)) % 10000 / 100.0
FROM (
    SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 1 AS n
    FROM dbo.digits AS a CROSS JOIN dbo.digits AS b CROSS JOIN dbo.digits AS c CROSS JOIN dbo.digits AS d
) AS numbers
WHERE numbers.n <= $(Rows);
GO

INSERT INTO dbo.products (id, title, price)
SELECT
    numbers.n,
    N'$(Company)''s article no. ' + CAST(numbers.n AS NVARCHAR(10)),
    (numbers.n * 113 + $(Number)) % 20000 / 100.0
FROM (
    SELECT a.n + 10 * b.n + 100 * c.n + 1 AS n
    FROM dbo.digits AS a CROSS JOIN dbo.digits AS b CROSS JOIN dbo.digits AS c
) AS numbers
WHERE numbers.n <= 500;
GO

INSERT INTO dbo.orders (id, customer_id, note)
SELECT
    10 * (customers.id - 1) + digits.n + 1,
    customers.id,
    CASE WHEN digits.n = 0 THEN N'Please leave it at the door' END
FROM dbo.customers AS customers CROSS JOIN dbo.digits AS digits;
GO

INSERT INTO dbo.order_lines (order_id, line, product_id, quantity)
SELECT
    orders.id,
    digits.n,
    (orders.id * 7 + digits.n * 31 + $(Number)) % 500 + 1,
    (orders.id + digits.n) % 5 + 1
FROM dbo.orders AS orders CROSS JOIN dbo.digits AS digits
WHERE digits.n BETWEEN 1 AND 2;
GO

DROP TABLE dbo.digits;
GO
