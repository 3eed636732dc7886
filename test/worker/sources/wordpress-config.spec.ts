// Long, for it is a table: every way to write a setting in PHP, and every one that is refused, stands here once with its reason.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { SourceError } from "../../../worker/sources/source-error.ts";
import { parseWpConfig, type WpConfig } from "../../../worker/sources/wordpress/wp-config.ts";
import { available } from "../../stage/available.ts";

const run = promisify(execFile);
const rawText = String.raw;

/** Everything that a site needs but DB_PASSWORD, and a text that no message may show. */
const rest = `define('DB_NAME', 'shop'); define('DB_USER', 'web'); define('DB_HOST', 'localhost'); $table_prefix = 'wp_';`;
const secret = "s3cret-of-ours";

function parse(php: string): WpConfig {
  return parseWpConfig(Buffer.from(`<?php\n${php}`));
}

/** What DB_PASSWORD is where it is written so. */
function passwordIn(php: string): string {
  return parse(`${php}\n${rest}`).database.password;
}

describe("a wp-config.php", () => {
  it("is read for everything that leads to the database", () => {
    const config = parse(`
      define( 'DB_NAME', 'shop' );
      define( 'DB_USER', 'web' );
      define( 'DB_PASSWORD', '${secret}' );
      define( 'DB_HOST', '127.0.0.1:3307' );
      define( 'DB_CHARSET', 'utf8mb4' );
      define( 'MULTISITE', true );
      define( 'CUSTOM_USER_TABLE', 'shared_users' );
      define( 'WP_CONTENT_DIR', dirname(__FILE__) . '/content' );
      $table_prefix  = 'blog_7_';
      if ( ! defined( 'ABSPATH' ) ) { define( 'ABSPATH', __DIR__ . '/' ); }
      require_once ABSPATH . 'wp-settings.php';
      define( 'DB_NAME', 'too late' );`);
    assert.deepEqual(config, {
      database: { name: "shop", user: "web", password: secret, host: "127.0.0.1:3307" },
      tablePrefix: "blog_7_",
      customUserTables: ["shared_users"],
      charset: "utf8mb4",
      isMultisite: true,
      movedDirectories: [{ constant: "WP_CONTENT_DIR", line: 10 }],
    });
  });

  const spellings: Record<string, readonly [php: string, password: string]> = {
    "in single quotes, where only \\\\ and \\' are escapes": [
      rawText`define('DB_PASSWORD', 'a\'b\\c\nd$e"f\\');`,
      "a'b\\c\\nd$e\"f\\",
    ],
    "in double quotes, with every escape": [
      rawText`define("DB_PASSWORD", "\n\t\r\v\e\f\\\$\"\x41\x4\101\7\400\u{1F600}\q\'\8");`,
      "\n\t\r\v\x1b\f\\$\"A\x04A\x07\0\u{1F600}\\q\\'\\8",
    ],
    "with dollars and braces that mean nothing": [
      rawText`define('DB_PASSWORD', "5$ { $ $1 {x} \{");`,
      "5$ { $ $1 {x} \\{",
    ],
    "under a name that is escaped, even past the last byte": [rawText`define("\504B_PASS\x57ORD", 'x');`, "x"],
    "as a constant": ["const DB_PASSWORD = 'x';", "x"],
    "among several constants": ["const A = 1, DB_PASSWORD = 'x', B = [1, 2];", "x"],
    "joined from texts": [`define('DB_' . "PASSWORD", 'a' . "b" /* and */ . 'c');`, "abc"],
    "as a number": ["define('DB_PASSWORD', 12345);", "12345"],
    "as nothing": ["define('DB_PASSWORD', '');", ""],
    "over several lines": ["define('DB_PASSWORD', 'a\r\nb\nc');", "a\r\nb\nc"],
    "in capitals, with a namespace's backslash": ["\\DEFINE('DB_PASSWORD', 'x');", "x"],
    quietly: ["@define('DB_PASSWORD', 'x');", "x"],
    "before other code in its statement": ["define('DB_PASSWORD', 'x') or die('y');", "x"],
    "as the first of two": ["define('DB_PASSWORD', 'x'); define('DB_PASSWORD', 'y');", "x"],
    "behind comments that have others": [
      "// define('DB_PASSWORD', 'a');\n# define('DB_PASSWORD', 'b');\n/* define('DB_PASSWORD', 'c'); */\n/** define('DB_PASSWORD', 'd'); */\rdefine('DB_PASSWORD', 'x');",
      "x",
    ],
    "after a comment that a carriage return ends": ["// a comment\rdefine('DB_PASSWORD', 'x');", "x"],
    "after a comment that ?> ends": ["// a ?> comment <?php define('DB_PASSWORD', 'x');", "x"],
    "behind texts that have others": [`$x = "define('DB_PASSWORD', 'a');"; define('DB_PASSWORD', 'x');`, "x"],
    "behind text around PHP that has others": ["?> define('DB_PASSWORD', 'a'); <?php define('DB_PASSWORD', 'x');", "x"],
    "where ?> ends the statement": ["define('DB_PASSWORD', 'x') ?>\n<?php ", "x"],
    "in a heredoc": ["define('DB_PASSWORD', <<<END\na\\tb\"\\\"\n$ c\nEND);", 'a\tb"\\"\n$ c'],
    "in a nowdoc": ["define('DB_PASSWORD', <<<'END'\na\\tb $c\nENDING\nEND\n);", "a\\tb $c\nENDING"],
    "in an empty heredoc": ["define('DB_PASSWORD', <<<\"END\"\nEND);", ""],
    "with the mark of a binary text": ["define('DB_PASSWORD', b'x' . B\"y\");", "xy"],
    "where nothing has set it": ["defined('DB_PASSWORD') || define('DB_PASSWORD', 'x');", "x"],
    "where nothing has set it, in a word": ["defined('DB_PASSWORD') OR define('DB_PASSWORD', 'x');", "x"],
    "where nothing has set it, the other way round": ["!defined('DB_PASSWORD') && define('DB_PASSWORD', 'x');", "x"],
    "where nothing has set it, in a block": ["if ( ! defined('DB_PASSWORD') ) { define('DB_PASSWORD', 'x'); }", "x"],
    "where nothing has set it, without a block": ["IF (!\\defined('DB_PASSWORD')) define('DB_PASSWORD', 'x');", "x"],
    "where nothing has set it, with a colon": ["if (!defined('DB_PASSWORD')): define('DB_PASSWORD', 'x'); endif;", "x"],
    "where something has set it already": [
      "define('DB_PASSWORD', 'x'); if (!defined('DB_PASSWORD')) { define('DB_PASSWORD', 'y'); } defined('DB_PASSWORD') || define('DB_PASSWORD', 'z');",
      "x",
    ],
    "in the branch that is taken": [
      "if (defined('DB_PASSWORD')) { define('DB_PASSWORD', 'a'); } elseif (!defined('DB_PASSWORD')) { define('DB_PASSWORD', 'x'); } else { define('DB_PASSWORD', 'b'); }",
      "x",
    ],
    "in a bare block": ["{ define('DB_PASSWORD', 'x'); }", "x"],
    "among code of other kinds": [
      "declare(strict_types=1); foreach ([1] as $k => $v) { f($k); } function f($a) { return $a; } switch (1) { case 1: break; }\n" +
        "while (false): endwhile; do { } while (0); try { } catch (E $e) { } finally { } abstract class C { const D = 1; function define($a, $b) {} }\n" +
        '$o?->define($p, 1); C::define($p, 1); $f = function () { return match (1) { 1 => 2 }; }; $u = "a {$o[\'b}\']} $d[0]"; `ls "x"`;\n' +
        "if ($_SERVER['HTTPS'] ?? false) $_SERVER['HTTPS'] = 'on'; else if (1): echo 2; endif; ini_set('a', 1.5e3 . .5); define('DB_PASSWORD', 'x');",
      "x",
    ],
    "after an inclusion that it does not depend on": ["require 'salts.php'; define('DB_PASSWORD', 'x');", "x"],
  };
  for (const [title, [php, password]] of Object.entries(spellings))
    it(`gives the password that stands there ${title}`, () => {
      if (password.includes("\0")) assert.throws(() => passwordIn(php), /DB_PASSWORD on line 2 has a NUL character/);
      else assert.equal(passwordIn(php), password);
    });

  it("counts the last prefix that is set, and the first constant", () => {
    const config = parse(`define('DB_PASSWORD', 'x'); ${rest} $table_prefix = 'later_'; define('DB_NAME', 'later');`);
    assert.deepEqual([config.tablePrefix, config.database.name], ["later_", "shop"]);
  });

  it("ends where it says so", () => {
    for (const end of ["return;", "exit;", "die();", "__halt_compiler();", "require ABSPATH . 'wp-settings.php';"])
      assert.throws(() => parse(`${end} define('DB_PASSWORD', 'x'); ${rest}`), refuses(/sets no DB_NAME/));
    assert.equal(passwordIn("if (!defined('X')) exit; define('DB_PASSWORD', 'x');"), "x");
  });
});

/** With the code and a sentence that has the reason, and nothing of what stands in the file. */
function refuses(reason: RegExp) {
  return (error: Error) => {
    assert.ok(error instanceof SourceError, String(error));
    assert.equal(error.code, "DUMP_FAILED");
    assert.match(error.message, reason);
    assert.match(
      error.message,
      /^The wp-config\.php of this site is read without being run.*: .*\. Write plain values there, or .*\.$/,
    );
    assert.ok(!JSON.stringify([error.message, String(error.cause)]).includes(secret));
    return true;
  };
}

describe("a wp-config.php that cannot be understood without running it", () => {
  const value = (php: string) => `define('DB_PASSWORD', ${php});`;
  const computed = /DB_PASSWORD on line 2 is not a plain text/;
  const conditional = /DB_PASSWORD on line 2 is set under a condition/;
  const refused: Record<string, readonly [php: string, reason: RegExp]> = {
    "has a value from the environment": [value(`getenv('${secret}')`), computed],
    "has a value from the environment, or a default": [value(`getenv('A') ?: '${secret}'`), computed],
    "has a value from a variable": [value("$password"), computed],
    "has a value from another constant": [value(`SECRET . '${secret}'`), computed],
    "has a variable in a text": [value(`"${secret} $x"`), computed],
    "has an expression in a text": [value(`"${secret} {$x['a']}"`), computed],
    "has a variable in old braces in a text": [value(`"${"$"}{x}"`), computed],
    "has a variable in a heredoc": [value(`<<<END\n${secret} $x\nEND`), computed],
    "has a heredoc that is indented": [value(`<<<END\n  ${secret}\n  END`), computed],
    "has the output of a command": [value("`id`"), computed],
    "has an octal number": [value("0777"), computed],
    "has a list": [value(`['${secret}']`), computed],
    "has parts that PHP decides on": [value(`true ? '${secret}' : 'b'`), computed],
    "sets it under a condition": [`if ($x) { ${value(`'${secret}'`)} }`, conditional],
    "sets it under a condition without a block": [`if ($x) ${value(`'${secret}'`)}`, conditional],
    "sets it in one of two branches": [`if (f()): ${value("'a'")} else: ${value("'b'")} endif;`, conditional],
    "sets it where something else is not defined": [`if (!defined('WP_CLI')) { ${value("'a'")} }`, conditional],
    "sets it only after another constant was there": [`defined('WP_CLI') && ${value("'a'")}`, conditional],
    "sets it in a function": [`function f() { ${value("'a'")} } f();`, conditional],
    "sets it in a closure": [`add(function () { ${value("'a'")} });`, conditional],
    "sets it in a loop": [`foreach ($a as $b) { ${value("'a'")} }`, conditional],
    "sets it in a switch": [`switch ($a) { case 1: ${value("'a'")} break; default: ${value("'b'")} }`, conditional],
    "sets it where something is tried": [`try { f(); ${value("'a'")} } catch (E $e) {}`, conditional],
    "sets it within other code": [`$x && ${value("'a'")}`, conditional],
    "sets it again after a condition": [`if ($x) { ${value("'a'")} } ${value("'b'")}`, conditional],
    "includes a file that may come first": [
      `if (file_exists('local.php')) { include 'local.php'; }\ndefined('DB_PASSWORD') || ${value("'a'")}`,
      /DB_PASSWORD on line 3 is set under a condition, or only unless line 2 has set it/,
    ],
    "includes the file that has it": [
      "\nrequire_once 'secrets.php';",
      /sets no DB_PASSWORD, and line 3 includes another file/,
    ],
    "sets constants by names it computes": [
      "foreach ($all as $k => $v) { define($k, $v); }",
      /sets no DB_PASSWORD, and line 2 sets constants whose names are computed/,
    ],
    "may have set it by a name that it computes": [`define("DB_$x", 1); ${value("'a'")}`, conditional],
    "does not set it": ["", /sets no DB_PASSWORD\./],
    "sets it in other capitals only": ["define('db_password', 'x');", /sets no DB_PASSWORD\./],
    "sets it in a class only": ["class C { const DB_PASSWORD = 'x'; }", /sets no DB_PASSWORD\./],
    "sets it in comments only": ["// define('DB_PASSWORD', 'x');", /sets no DB_PASSWORD\./],
    "calls something else that is named so": ["$x->define('DB_PASSWORD', 'x');", /sets no DB_PASSWORD\./],
    "has a text without an end": [`define('DB_PASSWORD', '${secret}`, /the text that begins on line 2 has no end/],
    "has a heredoc without an end": ["\n$x = <<<END\n END_\n", /the text that begins on line 3 has no end/],
    "has a comment without an end": [
      "\n\n/* define('DB_PASSWORD', 'x');",
      /the comment that begins on line 4 has no end/,
    ],
    "has a bracket without an end": ["define('DB_PASSWORD', ('x';", /the bracket on line 2 is never closed/],
    "has a brace too many": ["}", /line 2 closes a bracket that is not open/],
    "has brackets that do not fit": ["f(a];", /line 2 closes a bracket that is not open/],
    "has a condition without brackets": ["if $x { }", /line 2 is not the PHP it seems to be/],
    "has a text in a text in a text": [value('"{$a["b"]}"'), /the text that begins on line 2 has code in it/],
    "has what one PHP takes for a comment and another for code": ["#[X] define('A', 1);", /line 2 has “#\[”/],
    "has a short tag": ["?><? define('DB_PASSWORD', 'x'); ?>", /line 2 has a tag that PHP may or may not/],
    "has a character that is none": [value(rawText`"\u{110000}"`), /“\\u\{…\}” that is no character/],
    "has a control character in its code": ["\x01", /line 2 has a character that means nothing/],
    "lies in a namespace": ["namespace A; const DB_PASSWORD = 'x';", /line 2 puts it into a namespace/],
    "nests without end": ["if ($x) ".repeat(5000), /nested too deeply/],
    "has more to it than any configuration": [";".repeat(300_000), /it is too long/],
  };
  for (const [title, [php, reason]] of Object.entries(refused))
    it(`is refused where it ${title}`, () => {
      assert.throws(() => parseWpConfig(Buffer.from(`<?php ${rest}\n${php}`)), refuses(reason));
    });

  it("is refused where its prefix is missing, computed, conditional or none that WordPress takes", () => {
    const all = `define('DB_PASSWORD', 'x'); ${rest}`;
    const prefixes: Record<string, RegExp> = {
      "": /sets no \$table_prefix/,
      "$table_prefix = 'a' . $b;": /\$table_prefix on line 2 is not a plain text/,
      "$table_prefix = 'a'; $table_prefix .= 'b';": /\$table_prefix on line 2 is set under a condition/,
      "$table_prefix = 'a'; if ($x) $table_prefix = 'b';": /\$table_prefix on line 2 is set under a condition/,
      "$table_prefix = 'a-b';": /\$table_prefix has other characters/,
    };
    for (const [php, reason] of Object.entries(prefixes))
      assert.throws(() => parse(all.replace("$table_prefix = 'wp_';", php)), refuses(reason));
  });

  it("is refused where a value is not UTF-8, and where it is larger than 1 MiB", () => {
    const latin1 = Buffer.from(`<?php define('DB_PASSWORD', 'pässword'); ${rest}`, "latin1");
    assert.throws(() => parseWpConfig(latin1), refuses(/DB_PASSWORD on line 1 is not encoded as UTF-8/));
    assert.throws(() => parseWpConfig(Buffer.alloc(1024 * 1024 + 1, " ")), refuses(/larger than 1 MiB/));
  });

  it("is refused or read within seconds, whatever stands in it", async () => {
    const pieces = [
      "define(",
      "$a",
      "'b'",
      '"c {$d}"',
      ",",
      ")",
      "{",
      "}",
      "if(",
      "else",
      ":",
      ";",
      "<<<E\nE",
      "\\u{",
      "//\n",
      "?><?php ",
    ];
    const piece = fc.constantFrom(...pieces);
    const startedAt = performance.now();
    for (const each of pieces) tolerates(each.repeat(1_000_000 / each.length));
    await fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (many) => tolerates(many.join(" "))),
      { numRuns: 500 },
    );
    assert.ok(performance.now() - startedAt < 20_000);
  });

  function tolerates(php: string): void {
    try {
      parse(php);
    } catch (error) {
      assert.ok(error instanceof SourceError, String(error));
    }
  }
});

/** A text as PHP may have it, in one of its ways of writing it. */
const written = fc
  .tuple(
    fc.string({ unit: "grapheme", maxLength: 12 }),
    fc.array(fc.constantFrom(..."'\"\\$\n\r\t{}`a0<?>#/*;,"), { maxLength: 8 }),
  )
  .map(([plain, odd]) => `${odd.slice(0, 3).join("")}${plain}${odd.slice(3).join("")}`.replaceAll("\0", ""))
  .filter((text) => text.isWellFormed())
  .chain((text) => fc.constantFrom(...spellingsOf(text)).map((php) => ({ text, php })));

function spellingsOf(text: string): string[] {
  const escaped = text.replace(/[\\$"]/g, "\\$&");
  const bytes = [...Buffer.from(text)];
  const hex = bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  const octal = bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  const points = [...text].map((character) => `\\u{${character.codePointAt(0)?.toString(16)}}`).join("");
  const single = `'${text.replace(/[\\']/g, "\\$&")}'`;
  const halves = [text.slice(0, text.length / 2), text.slice(text.length / 2)];
  const joined = halves.every((half) => half.isWellFormed())
    ? [halves.map((half) => `'${half.replace(/[\\']/g, "\\$&")}'`).join(" . ")]
    : [];
  // Before the line break that ends a heredoc, a carriage return is part of that.
  const heredocs = text.endsWith("\r")
    ? []
    : [`<<<LABEL_\n${text.replace(/[\\$]/g, "\\$&")}\nLABEL_`, `<<<'LABEL_'\n${text}\nLABEL_`];
  return [single, ...joined, `"${escaped}"`, `"${hex}"`, `"${octal}"`, `"${points}"`, ...heredocs];
}

const definition = fc.constantFrom(
  (name: string, value: string) => `define('${name}', ${value});`,
  (name: string, value: string) => `DEFINE( "${name}" ,\n${value} ) ;`,
  (name: string, value: string) => `const ${name} = ${value};`,
  (name: string, value: string) => `defined('${name}') || define('${name}', ${value});`,
  (name: string, value: string) => `if ( ! defined( '${name}' ) ) { define( '${name}', ${value} ); }`,
  (name: string, value: string) => `if(!defined('${name}')): define('${name}', ${value}); endif;`,
  (name: string, value: string) => `define('${name}', ${value}) ?> text <?php `,
);
const noise = fc.constantFrom(
  "",
  "/* define('DB_NAME', 'x'); */",
  "// 'it''s\n",
  '# "\n',
  "$unused = 'define(\\'DB_NAME\\', \\'y\\');';",
  "if (false) { echo 1; }",
  "function f1() { return 1; }",
  "?>\n<?php",
);
const config = fc.record({
  values: fc.tuple(written, written, written, written),
  definitions: fc.tuple(definition, definition, definition, definition),
  noises: fc.tuple(noise, noise, noise, noise),
  prefix: fc.stringMatching(/^[A-Za-z0-9_]{1,10}$/),
});

function phpOf({
  values,
  definitions,
  noises,
  prefix,
}: typeof config extends fc.Arbitrary<infer T> ? T : never): string {
  const names = ["DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"];
  const lines = names.map(
    (name, index) => `${onceOnly(noises, index)}\n${definitions[index]?.(name, values[index]?.php ?? "")}`,
  );
  return `<?php\n${lines.join("\n")}\n$table_prefix = '${prefix}';\n`;
}

/** A function can be declared only once. */
function onceOnly(noises: readonly string[], index: number): string {
  const each = noises[index] ?? "";
  return noises.indexOf(each) === index ? each : "";
}

describe("any wp-config.php of plain values", () => {
  it("gives them back, however they are written", async () => {
    await fc.assert(
      fc.property(config, (each) => {
        const [name, user, password, host] = each.values.map(({ text }) => text);
        const parsed = parseWpConfig(Buffer.from(phpOf(each)));
        assert.deepEqual(parsed.database, { name, user, password, host });
        assert.equal(parsed.tablePrefix, each.prefix);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a wp-config.php beside PHP itself", { skip: available("php") ?? false }, () => {
  it("has the values that PHP finds in it", async () => {
    await using files = await temporaryDirectory();
    const dump = "echo json_encode(array_map('bin2hex', [DB_NAME, DB_USER, DB_PASSWORD, DB_HOST, $table_prefix]));";
    for (const [index, each] of fc.sample(config, { numRuns: 60, seed: 7 }).entries()) {
      const file = join(files.path, `${index}.php`);
      await writeFile(file, phpOf(each) + dump);
      const { stdout } = await run("php", ["-n", "-d", "display_errors=stderr", file]);
      const answer: string[] = JSON.parse(/\[.*\]$/.exec(stdout)?.[0] ?? "[]");
      const { database, tablePrefix } = parseWpConfig(Buffer.from(phpOf(each)));
      const { name, user, password, host } = database;
      assert.deepEqual(
        answer.map((hex) => Buffer.from(hex, "hex").toString()),
        [name, user, password, host, tablePrefix],
      );
    }
  });

  it("is never given another text than PHP would give, however it is quoted", async () => {
    await using files = await temporaryDirectory();
    const unit = fc.constantFrom(
      ..."\\'\"$ {}xuU41017naetrvf89[]->_\n",
      "\\",
      "\\x4",
      "\\u{4",
      "{$",
      "${",
      "é",
      "END\n",
      "\nEND",
    );
    const body = fc.string({ unit, maxLength: 14 });
    const literal = fc.oneof(
      body.map((text) => `'${text}'`),
      body.map((text) => `"${text}"`),
      body.map((text) => `<<<END\n${text}\nEND`),
      body.map((text) => `<<<'END'\n${text}\nEND`),
    );
    const literals = fc.sample(literal, { numRuns: 8000, seed: 11 });
    const file = join(files.path, "literals.json");
    await writeFile(file, JSON.stringify(literals));
    // A variable that is not set is an empty text and a warning, which would hide that it was filled in.
    const script = `set_error_handler(function () { throw new Exception(); });
      echo json_encode(array_map(function ($php) {
        try { $value = eval('return ' . $php . ';'); return is_string($value) ? bin2hex($value) : null; } catch (Throwable $e) { return null; }
      }, json_decode(file_get_contents($argv[1]))));`;
    const { stdout } = await run("php", ["-n", "-r", script, file], { maxBuffer: 1 << 26 });
    const answers: (string | null)[] = JSON.parse(stdout);
    let understood = 0;
    for (const [index, php] of literals.entries()) {
      const ours = textIn(php);
      if (ours === null) continue;
      understood++;
      assert.equal(Buffer.from(ours).toString("hex"), answers[index], php);
    }
    assert.ok(understood > 2000, `${understood} were understood`);
    const refusedByUs = literals.filter((php, index) => {
      const theirs = answers[index];
      return theirs != null && !Buffer.from(theirs, "hex").includes(0) && textIn(php) === null;
    });
    assert.deepEqual(refusedByUs, []);
  });
});

/** Null where it is refused. */
function textIn(php: string): string | null {
  try {
    return passwordIn(`define('DB_PASSWORD', ${php});`);
  } catch {
    return null;
  }
}

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "xvault-php-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
