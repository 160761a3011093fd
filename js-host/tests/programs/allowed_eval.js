// option: allow_eval
() => ({ eval: eval('1 + 1'), made: new Function('a', 'return a * 2')(4) })
