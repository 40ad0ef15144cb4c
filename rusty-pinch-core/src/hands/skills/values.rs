//! What a value holds, looked at before it leaves its script.
//!
//! A value of little memory can be endless as text, as a closure is that captured the variable it is in, or very long, as
//! a map is that has one text a thousand times.

use rhai::Dynamic;

use super::bounds::VALUE_DEPTH_MAX;

/// Why a value can't leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It holds one of this kind, which has no form in JSON: a function, an instant, a number that is not finite.
    NoForm(&'static str),
    /// It holds values within values, more than [`VALUE_DEPTH_MAX`] deep.
    TooDeep,
    /// It holds too many values.
    TooMany,
    /// Its texts are too long.
    TooLong,
}

/// The name of a type with its article.
pub(super) fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// What is left of what a value may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Values, itself and keys included.
    pub(super) values: usize,
    /// Bytes of texts and keys.
    pub(super) bytes: usize,
}

impl Room {
    /// Whether `value` fits, and why not.
    pub(super) fn holds(mut self, value: &Dynamic) -> Result<(), Unfit> {
        self.take(value, VALUE_DEPTH_MAX)
    }

    fn take(&mut self, value: &Dynamic, depth: usize) -> Result<(), Unfit> {
        self.take_values(1)?;
        if let Ok(items) = value.as_array_ref() {
            let depth = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
            return items.iter().try_for_each(|item| self.take(item, depth));
        }
        if let Ok(fields) = value.as_map_ref() {
            let depth = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
            return fields.iter().try_for_each(|(key, field)| {
                self.take_values(1)?;
                self.take_bytes(key.len())?;
                self.take(field, depth)
            });
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return self.take_bytes(text.len());
        }
        if let Ok(blob) = value.as_blob_ref() {
            return self.take_values(blob.len());
        }
        if let Ok(number) = value.as_float() {
            return if number.is_finite() { Ok(()) } else { Err(Unfit::NoForm("number that is not finite")) };
        }
        let is_plain = value.is_unit() || value.is_bool() || value.is_int() || value.is_char();
        if is_plain { Ok(()) } else { Err(Unfit::NoForm(value.type_name())) }
    }

    fn take_values(&mut self, values: usize) -> Result<(), Unfit> {
        self.values = self.values.checked_sub(values).ok_or(Unfit::TooMany)?;
        Ok(())
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Unfit::TooLong)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Array, FnPtr, Map};

    use super::*;

    const ROOM: Room = Room { values: 8, bytes: 8 };

    fn nested(levels: usize) -> Dynamic {
        (0..levels).fold(Dynamic::UNIT, |inner, level| {
            if level % 2 == 0 { Array::from([inner]).into() } else { Map::from([("k".into(), inner)]).into() }
        })
    }

    #[test]
    fn values_depth_and_texts_are_counted() {
        let wide = Room { values: 1000, bytes: 1000 };
        assert_eq!(wide.holds(&nested(VALUE_DEPTH_MAX)), Ok(()));
        assert_eq!(wide.holds(&nested(VALUE_DEPTH_MAX + 1)), Err(Unfit::TooDeep));
        let numbers = |count| Dynamic::from_array(vec![Dynamic::ONE; count]);
        assert_eq!((ROOM.holds(&numbers(7)), ROOM.holds(&numbers(8))), (Ok(()), Err(Unfit::TooMany)));
        let blob = |count| Dynamic::from_blob(vec![0; count]);
        assert_eq!((ROOM.holds(&blob(7)), ROOM.holds(&blob(8))), (Ok(()), Err(Unfit::TooMany)));
        let texts = |text: &str| Dynamic::from_array(vec![text.into(); 2]);
        assert_eq!((ROOM.holds(&texts("abcd")), ROOM.holds(&texts("abcde"))), (Ok(()), Err(Unfit::TooLong)));
        let keys = Dynamic::from_map(Map::from([("abcdefghi".into(), Dynamic::UNIT)]));
        assert_eq!(ROOM.holds(&keys), Err(Unfit::TooLong));
    }

    #[test]
    fn what_has_no_form_in_json_is_named() {
        let function = Dynamic::from(FnPtr::new("f").unwrap());
        assert_eq!(ROOM.holds(&Dynamic::from_array(vec![function])), Err(Unfit::NoForm("Fn")));
        for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let holds = ROOM.holds(&Dynamic::from_array(vec![number.into()]));
            assert_eq!(holds, Err(Unfit::NoForm("number that is not finite")), "{number}");
        }
        for plain in [Dynamic::UNIT, true.into(), 1_i64.into(), 1.5_f64.into(), 'c'.into(), "text".into()] {
            assert_eq!(ROOM.holds(&plain), Ok(()), "{plain}");
        }
    }
}
