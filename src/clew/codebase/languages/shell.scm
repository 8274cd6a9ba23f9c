(function_definition name: (word) @name body: (_) @body) @function
(program (variable_assignment name: (variable_name) @name) @variable)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @variable)
(comment) @comment
(raw_string) @mask
(string_content) @mask
(heredoc_body) @mask
(command name: (command_name (word) @call))
