//! Checks a pickle that comes from a worker before it is unpickled.
//!
//! A worker that misbehaves could send a bomb: a few bytes that double a list thirty times, or nest a list so deeply
//! that the code that reads it overflows the stack. So a pickle is accepted only if its values are not nested too
//! deeply, and if it has no other opcodes than those that this program writes. None of these opcodes copies a value.

/// How deep values may be nested: the same limit as in `serde_json`.
const DEEPEST: u8 = 128;

/// Returns whether these bytes are a pickle of one value, with only the allowed opcodes and not nested too deeply.
pub fn is_plain(pickle: &[u8]) -> bool {
    has_one_value(pickle).is_some()
}

/// Returns whether this is the pickle of a text. A worker that cannot use the kernel sends a text in place of outputs.
pub fn is_text(pickle: &[u8]) -> bool {
    matches!(pickle, [PROTO, _, BINUNICODE, ..])
}

/// Follows the opcodes as an unpickler would. Returns `None` at the first that is not allowed.
fn has_one_value(mut rest: &[u8]) -> Option<()> {
    // `depths`: how deep each value on the unpickler's stack is nested. `marks`: how many values lie below each mark.
    let (mut depths, mut marks): (Vec<u8>, Vec<usize>) = (vec![], vec![]);
    loop {
        let opcode = take(&mut rest, 1)?[0];
        match opcode {
            PROTO => drop(take(&mut rest, 1)?),
            STOP => return (rest.is_empty() && marks.is_empty() && depths.len() == 1).then_some(()),
            MARK => {
                if marks.len() == usize::from(DEEPEST) {
                    return None;
                }
                marks.push(depths.len());
            }
            NONE | NEWTRUE | NEWFALSE => depths.push(0),
            BININT1 | BININT2 | BININT | BINFLOAT | LONG1 | SHORT_BINBYTES | BINUNICODE | BINBYTES => {
                let length = match opcode {
                    BININT1 => 1,
                    BININT2 => 2,
                    BININT => 4,
                    BINFLOAT => 8,
                    LONG1 | SHORT_BINBYTES => usize::from(take(&mut rest, 1)?[0]),
                    _ => u32::from_le_bytes(*take(&mut rest, 4)?.first_chunk()?) as usize,
                };
                take(&mut rest, length)?;
                depths.push(0);
            }
            EMPTY_LIST | EMPTY_DICT | EMPTY_TUPLE => depths.push(1),
            APPENDS | SETITEMS | TUPLE | SETITEM => {
                let inside = match opcode {
                    SETITEM => depths.len().checked_sub(2)?,
                    _ => marks.pop()?,
                };
                let deepest = depths.get(inside..)?.iter().max().copied().unwrap_or(0);
                depths.truncate(inside);
                if opcode == TUPLE {
                    depths.push(0);
                }
                // The values go into the container that is now the last value on the stack. It must lie above the last
                // mark, otherwise the pickle is not valid.
                let below = marks.last().copied().unwrap_or(0);
                let around = depths.get_mut(below..)?.last_mut()?;
                *around = (*around).max(deepest + 1);
                if *around > DEEPEST {
                    return None;
                }
            }
            _ => return None,
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    rest.split_off(..bytes)
}

const PROTO: u8 = 0x80;
const STOP: u8 = b'.';
const MARK: u8 = b'(';
const NONE: u8 = b'N';
const NEWTRUE: u8 = 0x88;
const NEWFALSE: u8 = 0x89;
const BININT: u8 = b'J';
const BININT1: u8 = b'K';
const BININT2: u8 = b'M';
const BINFLOAT: u8 = b'G';
const LONG1: u8 = 0x8a;
const BINUNICODE: u8 = b'X';
const SHORT_BINBYTES: u8 = b'C';
const BINBYTES: u8 = b'B';
const EMPTY_LIST: u8 = b']';
const EMPTY_DICT: u8 = b'}';
const EMPTY_TUPLE: u8 = b')';
const APPENDS: u8 = b'e';
const SETITEM: u8 = b's';
const SETITEMS: u8 = b'u';
const TUPLE: u8 = b't';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_not_plain() {
        let doubled = [b"]N".to_vec(), b"2\x86".repeat(40), b".".to_vec()].concat();
        let nested = [b"](".repeat(100_000), b"e".repeat(100_000), b".".to_vec()].concat();
        let tuples = [b"N".to_vec(), b"\x85".repeat(100_000), b".".to_vec()].concat();
        let keys = [b"}".repeat(100_001), b"Ns".repeat(100_000), b".".to_vec()].concat();
        let variants = [b"}N".repeat(100_000), b"N".to_vec(), b"s".repeat(100_000), b".".to_vec()].concat();
        for bomb in [doubled, nested, tuples, keys, variants] {
            assert!(!is_plain(&bomb), "{}", bomb[..10].escape_ascii());
        }
    }

    #[test]
    fn what_has_no_end_or_more_than_one_is_not_plain() {
        assert!(is_plain(b"\x80\x03](K\x01K\x02e."));
        for wrong in
            [&b""[..], b".", b"N", b"NN.", b"N.N", b"(N.", b"J\0\0.", b"X\xff\xff\xff\xff.", b"N(e.(", b"s.", b"(se."]
        {
            assert!(!is_plain(wrong), "{}", wrong.escape_ascii());
        }
    }
}
