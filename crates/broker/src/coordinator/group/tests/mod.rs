//! Group cases as text: a command per line that begins with `>`, and below it what came out.

mod bench;
mod cases;
mod loading;
mod random;
mod stored;
