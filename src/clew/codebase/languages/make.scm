((rule (targets) @name (recipe)? @body) @function
  (#not-match? @name "^[.]"))
(makefile (variable_assignment name: (word) @name) @variable)
(comment) @comment
(variable_reference (word) @call)
