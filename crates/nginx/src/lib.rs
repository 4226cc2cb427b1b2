//! The nginx.conf dialect: lexer, directive table, translation into the model.
