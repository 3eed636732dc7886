// A MariaDB server's sample content, as odd as content can be, and the comparison of two servers row for row.
import { createHash } from "node:crypto";
import type { StagedMariadb } from "./mariadb.ts";

/** Databases and tables that are named like commands, options and patterns. */
export const oddDatabases = [
  "x; id",
  "$(id)",
  "`back` 'tick'",
  "--result-file=/x",
  "-T/tmp",
  "täst 文件",
  "a/b",
  "new\nline",
];

const everyByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join("");

const shop = String.raw`
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE customers (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, note TEXT,
  initial CHAR(1) GENERATED ALWAYS AS (LEFT(name, 1)) VIRTUAL, shout VARCHAR(100) AS (UPPER(name)) PERSISTENT,
  FULLTEXT KEY note (note), CHECK (name <> '')) COMMENT='whose; "quotes"\nand \\ lines';
INSERT INTO customers (name, note) VALUES ('Zoë 🙂 文件', NULL), ('O''Hara "x" \\ \n\t\0 end', ''), ('NULL', 'NULL'), ('𝔘𝔫𝔦', REPEAT('long 🦊 ', 1000));
CREATE TABLE orders (
  id BIGINT PRIMARY KEY, customer INT UNSIGNED NOT NULL, price DECIMAL(30,10), rate DOUBLE, placed DATETIME(6), day DATE, at TIME(3),
  seen TIMESTAMP NULL, kind ENUM('a','b''c'), flags SET('x','y'), bits BIT(10), detail JSON, place POINT, y YEAR,
  CONSTRAINT whose FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE);
INSERT INTO orders VALUES
  (1, 1, 12345678901234567890.0123456789, 0.1, '2024-02-29 23:59:59.999999', '1000-01-01', '-838:59:59.000', '2024-03-31 01:30:00', 'b''c', 'x,y', b'1010101010', '{"a": "🙂"}', POINT(1, -2.5), 2024),
  (-9223372036854775808, 4, -0.0000000001, 1.7976931348623157e308, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL);
CREATE TABLE files (name VARBINARY(255) NOT NULL PRIMARY KEY, content LONGBLOB);
INSERT INTO files VALUES (x'${everyByte.slice(0, 400)}', x'${everyByte}'), ('empty', ''), ('null', NULL), ('many', REPEAT(x'${everyByte}', 5000));
CREATE TABLE ledger (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(200));
CREATE TABLE latin (word VARCHAR(50)) CHARACTER SET latin1;
INSERT INTO latin VALUES ('Grüße'), ('café €');
CREATE TABLE years (y INT NOT NULL, v INT) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO years VALUES (1999, 1), (2001, 2);
CREATE TABLE empty_table (id INT);
CREATE SEQUENCE tickets START WITH 100 INCREMENT BY 10;
DO NEXTVAL(tickets);
CREATE TABLE ${"`odd ``name; $(id)\n\\\\! id`"} (${"`col ``umn`"} INT PRIMARY KEY, ${"`-- x`"} TEXT);
INSERT INTO ${"`odd ``name; $(id)\n\\\\! id`"} VALUES (1, '-- Dump completed'), (2, '/*!40000 DROP DATABASE shop */;');
CREATE VIEW b_view AS SELECT name, COUNT(orders.id) AS many FROM customers LEFT JOIN orders ON customer = customers.id GROUP BY name;
CREATE VIEW a_view AS SELECT * FROM b_view WHERE many > 0;
DELIMITER $$
CREATE TRIGGER noticed AFTER INSERT ON customers FOR EACH ROW BEGIN INSERT INTO ledger (what) VALUES (CONCAT('new 🙂; ', NEW.name)); END$$
CREATE PROCEDURE tidy(IN before_year INT, OUT gone INT) COMMENT 'it''s; tidy' BEGIN DELETE FROM years WHERE y < before_year; SET gone = ROW_COUNT(); END$$
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2$$
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 02:30:00' ON COMPLETION PRESERVE DISABLE COMMENT 'at night' DO BEGIN DELETE FROM ledger; END$$
DELIMITER ;
INSERT INTO customers (name) VALUES ('after the trigger');
CREATE DATABASE other CHARACTER SET latin1;
CREATE TABLE other.plain (id INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO other.plain VALUES (1), (2), (3);
CREATE DATABASE nothing_in_it;
`;

export async function fillShop(server: StagedMariadb): Promise<void> {
  await server.query(shop);
}

export async function fillOddDatabases(server: StagedMariadb): Promise<void> {
  for (const name of oddDatabases) {
    const database = identifier(name);
    await server.query(`CREATE DATABASE ${database}; CREATE TABLE ${database}.${database} (id INT PRIMARY KEY);
      INSERT INTO ${database}.${database} VALUES (1), (2)`);
  }
}

export function identifier(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

const ofUsers = "NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')";
/** No row begins so. */
const mark = "\u{1f516}";

/** What each database consists of, by name, in words that a failing assertion can show: definitions as they are, rows as a checksum. */
export async function describeServer(server: StagedMariadb): Promise<Record<string, string>> {
  const questions: Record<string, string> = {};
  const parts = await server.query(`
    SELECT 'DATABASE', schema_name, '', '' FROM information_schema.schemata WHERE schema_name ${ofUsers} UNION ALL
    SELECT table_type, table_schema, table_name, (SELECT GROUP_CONCAT(ordinal_position) FROM information_schema.columns AS c
      WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name)
      FROM information_schema.tables AS t WHERE table_schema ${ofUsers} UNION ALL
    SELECT 'TRIGGER', trigger_schema, trigger_name, '' FROM information_schema.triggers WHERE trigger_schema ${ofUsers} UNION ALL
    SELECT routine_type, routine_schema, routine_name, '' FROM information_schema.routines WHERE routine_schema ${ofUsers} UNION ALL
    SELECT 'EVENT', event_schema, event_name, '' FROM information_schema.events WHERE event_schema ${ofUsers}`);
  for (const [kind = "", database = "", name = "", columns = ""] of parseRows(parts)) {
    const full = kind === "DATABASE" ? identifier(database) : `${identifier(database)}.${identifier(name)}`;
    const isTable = columns !== "";
    questions[`${kind} ${full}`] = `SHOW CREATE ${isTable ? "TABLE" : kind} ${full}`;
    if (isTable) questions[`rows of ${full}`] = `SELECT * FROM ${full} ORDER BY ${columns}`;
    if (isTable && kind !== "VIEW") questions[`checksum of ${full}`] = `CHECKSUM TABLE ${full} EXTENDED`;
  }
  return describeAnswers(Object.keys(questions), await askAll(server, Object.values(questions)));
}

/** All at once, because every start of a client takes its time. */
async function askAll(server: StagedMariadb, questions: readonly string[]): Promise<string[]> {
  const answers = await server.query(questions.map((sql) => `SELECT '${mark}'; ${sql};`).join("\n"));
  return answers.split(`${mark}\n`).slice(1);
}

function describeAnswers(keys: readonly string[], answers: readonly string[]): Record<string, string> {
  const described: Record<string, string> = {};
  for (const [index, key] of keys.entries()) {
    const answer = answers[index] ?? "";
    described[key] = key.startsWith("rows")
      ? `${answer.split("\n").length - 1} rows, ${sha256(answer)}`
      : // When a trigger was made is not in a dump.
        answer.replace(/\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d\n$/, "\n");
  }
  return described;
}

/** Of what `--batch` writes. */
function parseRows(text: string): string[][] {
  const signs: Record<string, string> = { n: "\n", t: "\t", "0": "\0" };
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  return lines.map((line) =>
    line.split("\t").map((cell) => cell.replaceAll(/\\(.)/g, (_, sign) => signs[sign] ?? sign)),
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
