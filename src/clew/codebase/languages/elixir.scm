((call target: (identifier) @_how (arguments (alias) @name) (do_block) @body) @namespace
  (#any-of? @_how "defmodule" "defimpl"))
((call target: (identifier) @_how (arguments (alias) @name) (do_block) @body) @interface
  (#eq? @_how "defprotocol"))
((call target: (identifier) @_how (arguments [(call target: (identifier) @name) (identifier) @name (binary_operator left: [(call target: (identifier) @name) (identifier) @name])]) (do_block)? @body) @function
  (#any-of? @_how "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate"))
((call target: (identifier) @_how (arguments (string (quoted_content) @name)) (do_block) @body) @test
  (#any-of? @_how "test" "describe" "property"))
((unary_operator operator: "@" operand: (call target: (identifier) @_how (arguments (binary_operator left: (call target: (identifier) @name))))) @function
  (#any-of? @_how "callback" "macrocallback"))
((call target: (identifier) @_how (arguments . [(alias) (dot left: (alias))])) @import
  (#any-of? @_how "alias" "import" "require" "use"))
(comment) @comment
(quoted_content) @mask
(call target: (identifier) @call)
(call target: (dot right: (identifier) @call))
((do_block (unary_operator operator: "@" operand: (call target: (identifier) @_how)) @lead)
  (#not-match? @_how "^(macro)?callback$|^typep?$|^opaque$"))
