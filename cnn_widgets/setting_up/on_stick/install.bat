@echo off
rem Installs cnn-widgets from this folder, with no network:  install.bat [FOLDER]
setlocal
set "PY=py -@PYTHON@"
%PY% -c "import sys" >nul 2>nul
if not errorlevel 1 goto found
set "PY=python"
%PY% -c "import sys; sys.exit(sys.version_info[0] * 100 + sys.version_info[1] != @NUMBER@)" >nul 2>nul
if not errorlevel 1 goto found
echo Python @PYTHON@ [@LOWEST@ or newer] was not found on this computer. Install it, then run this again.
set "CODE=2"
goto end
:found
%PY% "%~dp0install.py" %*
set "CODE=%ERRORLEVEL%"
:end
rem Opened by a double click, the window stays until a key is pressed
if "%~1"=="" pause
exit /b %CODE%
