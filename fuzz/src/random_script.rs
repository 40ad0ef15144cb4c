//! Random scripts: most are well formed and use the whole language, some are damaged afterwards. A seed gives the same
//! script every time.

/// A random script.
pub fn generate(seed: u64) -> String {
    let mut random = Random(seed);
    let mut script = String::new();
    for name in ["f", "g"] {
        if random.one_in(2) {
            let body = block(&mut random, 3);
            script += &format!("fn {name}(x) {{ let y = x; {body} }}\n");
        }
    }
    let body = block(&mut random, 4);
    script += &format!("fn main({}) {{ let x = 1; let y = \"a\"; {body} }}\n", random.pick(&["", "args"]));
    if random.one_in(8) {
        script += "let x = 1; let y = \"a\"; ";
        script += &block(&mut random, 2);
    }
    if random.one_in(4) { damage(&mut random, script) } else { script }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const VARIABLES: &[&str] = &["x", "y"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "64",
    "255",
    "4095",
    "4096",
    "9223372036854775807",
    "0x7fffffffffffffff",
    "1.5",
    "-0.0",
    "1e308",
    "0.1",
];
const TEXTS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "\"key\"",
    "'c'",
    "\"héllo wörld\"",
    "\"\\U0001F600\"",
    "`t${x}`",
    "\"{\\\"a\\\":[1,2]}\"",
    "\"1.5\"",
];
const BINARY: &[&str] = &[
    "+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "in", "??", "..", "..=",
];
const ASSIGN: &[&str] = &["=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^="];
const METHODS: &[&str] = &[
    "len()",
    "push(X)",
    "pop()",
    "shift()",
    "insert(X, X)",
    "remove(X)",
    "pad(X, X)",
    "truncate(X)",
    "chop(X)",
    "reverse()",
    "sort()",
    "sort(|a, b| X)",
    "map(|a| X)",
    "filter(|a| X)",
    "reduce(|a, b| X)",
    "dedup()",
    "extract(X, X)",
    "splice(X, X, X)",
    "split(X)",
    "split(X, X)",
    "append(X)",
    "drain(|a| X)",
    "retain(|a| X)",
    "index_of(X)",
    "contains(X)",
    "all(|a| X)",
    "some(|a| X)",
    "zip(X, |a, b| X)",
    "for_each(|a| X)",
    "chunk(X)",
    "keys()",
    "values()",
    "clear()",
    "mixin(X)",
    "fill_with(X)",
    "to_json()",
    "to_string()",
    "to_debug()",
    "to_upper()",
    "to_lower()",
    "trim()",
    "crop(X, X)",
    "sub_string(X, X)",
    "replace(X, X)",
    "starts_with(X)",
    "ends_with(X)",
    "chars()",
    "to_chars()",
    "to_blob()",
    "bytes()",
    "get(X)",
    "set(X, X)",
    "get_bit(X)",
    "set_bit(X, X)",
    "get_bits(X, X)",
    "bits()",
    "is_empty()",
    "as_string()",
    "parse_le_int(X, X)",
    "write_utf8(X, X)",
    "write_be(X, X, X)",
    "abs()",
    "sqrt()",
    "floor()",
    "round()",
    "to_int()",
    "to_float()",
    "to_hex()",
    "to_char()",
    "type_of()",
    "call(X)",
    "curry(X)",
    "a",
    "b.c",
    "elapsed",
];
const FUNCTIONS: &[&str] = &[
    "f(X)",
    "g(X)",
    "main(X)",
    "print(X)",
    "debug(X)",
    "type_of(X)",
    "parse_int(X)",
    "parse_int(X, X)",
    "parse_float(X)",
    "parse_json(X)",
    "to_json(X)",
    "blob(X, X)",
    "range(X, X)",
    "range(X, X, X)",
    "timestamp()",
    "args()",
    "log_info(X)",
    "time_now()",
    "http_get(X)",
    "http_post(X, X)",
    "http_json(X)",
    "state_get(X)",
    "state_set(X, X)",
    "tool(X, X)",
    "sleep(X)",
    "Fn(X)",
    "is_def_fn(X, X)",
    "min(X, X)",
    "max(X, X)",
    "sin(X)",
    "ln(X)",
    "exp(X)",
    "PI()",
    "exit(X)",
];

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 {
        let leaves = leaves(random.below(3));
        return random.pick(leaves).to_owned();
    }
    let inner = depth - 1;
    match random.below(12) {
        0 | 1 => format!("({} {} {})", expression(random, inner), random.pick(BINARY), expression(random, inner)),
        2 | 3 => {
            let method = random.pick(METHODS);
            format!("{}.{}", expression(random, inner), filled(random, method, inner))
        }
        4 => {
            let function = random.pick(FUNCTIONS);
            filled(random, function, inner)
        }
        5 => format!("[{}, {}]", expression(random, inner), expression(random, inner)),
        6 => format!("#{{a: {}, b: {}}}", expression(random, inner), expression(random, inner)),
        7 => format!("{}[{}]", expression(random, inner), index(random)),
        8 => format!("({}({}))", random.pick(&["-", "+"]), expression(random, inner)),
        9 => format!("(|a| {})", expression(random, inner)),
        10 => {
            format!("if {} {{ {} }} else {{ {} }}", condition(random), expression(random, inner), expression(random, 0))
        }
        _ => format!("`${{{}}}`", expression(random, inner)),
    }
}

/// Something that may be a condition: a constant of another kind is refused before it runs.
fn condition(random: &mut Random) -> String {
    match random.below(5) {
        0 => random.pick(&["true", "x", "y", "!x"]).to_owned(),
        1 => format!("{} {} {}", condition(random), random.pick(&["&&", "||"]), condition(random)),
        _ => format!("x {} {}", random.pick(&["==", "!=", "<", ">="]), expression(random, 1)),
    }
}

/// Something that may be an index.
fn index(random: &mut Random) -> String {
    match random.below(3) {
        0 => random.pick(&["x", "y", "0", "1", "-1", "0..2", "99"]).to_owned(),
        1 => format!("x + {}", expression(random, 1)),
        _ => format!("f({})", expression(random, 0)),
    }
}

fn leaves(which: usize) -> &'static [&'static str] {
    match which {
        0 => VARIABLES,
        1 => NUMBERS,
        _ => TEXTS,
    }
}

/// `pattern` with an expression for each `X`.
fn filled(random: &mut Random, pattern: &str, depth: usize) -> String {
    let mut text = String::new();
    for c in pattern.chars() {
        if c == 'X' { text += &expression(random, depth) } else { text.push(c) }
    }
    text
}

/// Some statements. What goes wrong in one seldom ends them all.
fn block(random: &mut Random, depth: usize) -> String {
    let one = |random: &mut Random| {
        let statement = statement(random, depth);
        if random.one_in(2) { format!("try {{ {statement} }} catch {{ }} ") } else { statement }
    };
    (0..random.below(4) + 1).map(|_| one(random)).collect()
}

fn statement(random: &mut Random, depth: usize) -> String {
    let value = expression(random, depth.min(3));
    if depth == 0 {
        return format!("{value}; ");
    }
    let inner = depth - 1;
    let variable = random.pick(VARIABLES);
    match random.below(13) {
        0 => format!("let {variable} = {value}; "),
        1 => format!("const z = {value}; "),
        2 | 3 => format!("{variable} {} {value}; ", random.pick(ASSIGN)),
        4 => format!("{variable}[{}] {} {value}; ", index(random), random.pick(ASSIGN)),
        5 => format!("{variable}.a {} {value}; ", random.pick(ASSIGN)),
        6 => {
            let over = random.pick(&["x", "y", "0..9", "[1, x]", "range(0, x)", "y.chars()", "x.bits()"]);
            format!("for i in {over} {{ {} }} ", block(random, inner))
        }
        7 => format!("while {} {{ {} }} ", condition(random), block(random, inner)),
        8 => format!("loop {{ {} {} }} ", block(random, inner), random.pick(&["break;", "continue;", ""])),
        9 => format!("try {{ {} }} catch (e) {{ {} }} ", block(random, inner), block(random, inner)),
        10 => format!("switch {value} {{ 1 => {}, 0..9 => x, _ => y }} ", expression(random, 1)),
        11 => format!("{} {value}; ", random.pick(&["return", "throw", "let z = "])),
        _ => format!("{value}; "),
    }
}

/// The script with some of its bytes changed, gone or doubled.
fn damage(random: &mut Random, script: String) -> String {
    let mut bytes = script.into_bytes();
    for _ in 0..random.below(8) + 1 {
        let at = random.below(bytes.len().max(1));
        let Some(byte) = bytes.get_mut(at) else { break };
        match random.below(4) {
            0 => *byte = random.next() as u8,
            1 => drop(bytes.remove(at)),
            2 => {
                let end = (at + random.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let piece = random.pick(&[
                    "(", ")", "{", "}", "[", "]", "`", "\"", "'", ";", "::", "=>", "#{", "|", "/*", "//", "\\",
                ]);
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
