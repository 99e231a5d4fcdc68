# cmake -DOUTPUT=x.cpp -DTEMPLATE=x.cpp.in -DROOT=folder -DFILES=a,b,c -P this:
# writes OUTPUT from TEMPLATE, in which @TEXT_0@, @TEXT_1@, ... become raw
# string literals of the files, and @ENTRIES@ becomes {"path", literal}, ... of
# all of them.
string(REPLACE "," ";" files "${FILES}")
set(ENTRIES "")
set(index 0)
foreach(name IN LISTS files)
  file(READ "${ROOT}/${name}" content)
  if(content MATCHES "\\)evoke_text\"")
    message(FATAL_ERROR "${name} holds )evoke_text\", the end of a literal")
  endif()
  set(TEXT_${index} "R\"evoke_text(${content})evoke_text\"")
  string(APPEND ENTRIES "    {\"${name}\",\n     ${TEXT_${index}}},\n")
  math(EXPR index "${index} + 1")
endforeach()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
